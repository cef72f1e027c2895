"""The van Rossum distance and its gradient against explicit convolutions."""

import math
import weakref

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.cuba_cases import ENGINES
from support.modules_samples import dense, graph, spikes
from support.thread_counts import check_thread_counts
from support.van_rossum_oracle import check, expected, filtered, impulse, random_spikes

from netdesc.graph import loss as sections
from netdesc.kernels import operators, van_rossum_coefficients
from netdesc.kernels.engines import use_engine
from netdesc.losses import SpikeMaxLoss, SpikeTimeLoss, build_loss

SLOW = math.exp(-1 / 1000)
engines = pytest.mark.parametrize("engine", ENGINES)


def output_of(kind: str, shape: tuple[int, int, int], rng: np.random.Generator) -> np.ndarray:
    if kind == "graded":
        return rng.normal(size=shape).astype(np.float32)
    density = {"none": 0.0, "few": 0.02, "many": 0.4, "all": 1.0}[kind]
    return (rng.random(shape) < density).astype(np.float32)


@given(
    kinds=st.tuples(*[st.sampled_from(["none", "few", "many", "all", "graded"])] * 2),
    shape=st.tuples(st.integers(1, 150), st.integers(1, 3), st.integers(1, 40)),
    decay=st.sampled_from([0.0, 0.1, math.exp(-1 / 2), 0.9, 0.97, SLOW, 1.0]),
    order=st.integers(1, 4),
    length=st.sampled_from([1, 2, 3, 7, 30, 100, 149, 150, 151, 1000]),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=150)
@example(("few", "few"), (100, 1, 37), 0.9, 2, 100, 0)
@example(("all", "none"), (1, 1, 1), 0.6, 1, 1, 0)
@example(("graded", "graded"), (141, 1, 1), SLOW, 4, 149, 1)
def test_engines_convolve(kinds, shape, decay, order, length, seed):
    rng = np.random.default_rng(seed)
    output, target = (output_of(kind, shape, rng) for kind in kinds)
    check(output, target, decay, order, length, ENGINES)


CUT_EARLY = [(1000, 100, order) for order in (1, 2, 3, 4, 8, 12)]
NEVER_CUT = [(3000, 100_000, order) for order in (1, 4)]


@pytest.mark.parametrize(("steps", "length", "order"), [*CUT_EARLY, *NEVER_CUT])
def test_slow_filters(steps, length, order):
    """The recurrences are far larger than their difference from the tail; 1 − decay is small."""
    output, target = random_spikes(2, 2000, 1, 5)
    check(output, target, math.exp(-1 / steps), order, length, ENGINES)


def test_filters_too_inexact_for_recurrences_are_convolved():
    assert not van_rossum_coefficients.are_inexact(SLOW, 2, 100, 2000)
    assert not van_rossum_coefficients.are_inexact(math.exp(-1 / 2), 16, 100, 2000)
    assert van_rossum_coefficients.are_inexact(SLOW, 12, 100, 2000)
    check(*random_spikes(2, 2000, 1, 5), SLOW, 12, 100, ENGINES)


@pytest.mark.parametrize("filter", [(0.6, 2, 100), (0.99, 3, 10), (SLOW, 12, 5)])
def test_results_do_not_depend_on_the_number_of_threads(filter):
    def compute() -> list[torch.Tensor]:
        output = spikes(60, 3, 50).requires_grad_()
        loss, _ = operators.spike_time(output, spikes(60, 3, 50, seed=1), *filter, True)
        loss.backward()
        return [loss.detach(), output.grad]

    check_thread_counts(compute)


@engines
def test_neither_output_nor_target_is_saved(engine):
    """The backward pass reads only the gradient."""
    leaf = spikes(30, 2, 4).requires_grad_()
    output, target = leaf * 1, spikes(30, 2, 4, seed=1)
    watched = weakref.ref(output), weakref.ref(target)
    with use_engine(engine):
        loss, _ = operators.spike_time(output, target, 0.6, 2, 100, True)
    del output, target
    assert [each() for each in watched] == [None, None]
    loss.backward()
    assert leaf.grad.any()


@engines
def test_changing_a_gradient_does_not_change_that_of_a_later_pass(engine):
    output = spikes(30, 2, 4).unflatten(2, (2, 2)).detach().requires_grad_()
    with use_engine(engine):
        loss = loss_of()(output, torch.zeros_like(output))
        (first,) = torch.autograd.grad(loss, output, retain_graph=True)
        expected = first.clone()
        first.zero_()
        for _ in range(3):
            loss.backward(retain_graph=True)
    torch.testing.assert_close(output.grad, 3 * expected)


@engines
def test_without_keep_there_is_no_backward_pass(engine):
    output = spikes(30, 2, 4).requires_grad_()
    with use_engine(engine), pytest.raises(RuntimeError, match="without keep"):
        operators.spike_time(output, output.detach(), 0.6, 2, 100, False)[0].backward()


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_nan_and_infinity_propagate_within_their_neuron(bad):
    output = torch.rand(60, 1, 3)
    output[7, 0, 1] = bad
    output.requires_grad_()
    loss, _ = operators.spike_time(output, torch.zeros_like(output), 0.6, 2, 100, True)
    loss.backward()
    assert not torch.isfinite(loss)
    assert not torch.isfinite(output.grad[3:8, 0, 1]).any()
    assert torch.isfinite(output.grad[:, 0, ::2]).all()


def test_gradients_are_zero_instead_of_denormal():
    output, target = torch.zeros(2, 400, 1, 70)
    target[-1] = 1
    output.requires_grad_()
    operators.spike_time(output, target, 0.6, 1, 1000, True)[0].backward()
    assert output.grad[240:].all()
    assert not output.grad[:220].any()


def loss_of(**more) -> SpikeTimeLoss:
    return build_loss(graph(dense("only", 3), **more))


def test_the_filter_decays_by_the_steps_of_the_layer_that_it_reads():
    slow = {"name": "slow", "type": "time_decimation", "factor": 4}
    loss = build_loss(graph(dense("first", 3), slow, dense("only", 3), step_ms=0.5))
    found = loss.filter(torch.eye(5)[0])
    np.testing.assert_allclose(found, np.exp(-0.5 * 4 / 2.0 * np.arange(5)), rtol=1e-6)


def test_the_loss_of_a_document():
    output, target = random_spikes(5, 50, 2, 6)
    h = impulse(math.exp(-0.5 / 4.0), 2, 30)
    total, _ = expected(output, target, h)
    fields = {"time_constant_ms": 4.0, "step_ms": 0.5, "filter_order": 2, "filter_steps": 30}
    made = loss_of(**fields)
    both = torch.from_numpy(output), torch.from_numpy(target)
    assert made(*both).item() == pytest.approx(total, rel=1e-6)
    mean = loss_of(**fields, reduction="mean")
    assert mean(*both).item() == pytest.approx(total / output.size, rel=1e-6)
    shaped = [tensor.reshape(50, 2, 3, 2) for tensor in both]
    assert made(*shaped).item() == made(*both).item()


@engines
def test_one_missing_spike(engine):
    """By hand: Σ exp(−2n/τ) over the remaining steps, here all hundred."""
    target = torch.zeros(200, 1, 1)
    target[20] = 1
    with use_engine(engine):
        loss = loss_of(time_constant_ms=10.0)(torch.zeros_like(target), target)
    assert loss.item() == pytest.approx(sum(math.exp(-2 * n / 10) for n in range(100)), rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64, torch.float64])
def test_trains_of_any_type(dtype):
    output, target = spikes(30, 2, 4), spikes(30, 2, 4, seed=1)
    assert torch.equal(loss_of()(output, target.to(dtype)), loss_of()(output, target))
    assert torch.equal(loss_of()(output.to(dtype), target), loss_of()(output, target))


@pytest.mark.parametrize(
    ("output", "target", "message"),
    [
        ((30, 2, 4), (30, 2, 5), r"output has shape \[30, 2, 4\], its target \[30, 2, 5\]"),
        ((30, 2, 4), (30, 1, 4), "its target"),
        ((30, 2, 4), (30, 2, 4, 1), "its target"),
        ((30, 2), (30, 2), r"shape \[30, 2\]; \[steps, batch, \*shape\] is needed"),
        ((30, 0, 4), (30, 0, 4), r"\[30, 0, 4\].* each at least 1"),
    ],
)
def test_shapes_that_do_not_fit(output, target, message):
    with pytest.raises(ValueError, match=message):
        loss_of()(torch.zeros(output), torch.zeros(target))


def test_trains_that_are_no_tensors():
    with pytest.raises(TypeError, match=r"the target: .* not ndarray; .*torch.as_tensor"):
        loss_of()(torch.zeros(30, 2, 4), np.zeros((30, 2, 4)))
    with pytest.raises(TypeError, match=r"the output: .* not NoneType"):
        loss_of()(None, torch.zeros(30, 2, 4))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda train: train.to(torch.complex64), "has type complex64; real numbers are needed"),
        (torch.Tensor.to_sparse, "has layout sparse_coo"),
    ],
)
def test_trains_that_are_not_real_or_not_dense(change, said):
    train = torch.zeros(30, 2, 4)
    with pytest.raises(ValueError, match=f"the output {said}"):
        loss_of()(change(train), train)
    with pytest.raises(ValueError, match=f"the target {said}"):
        loss_of()(train, change(train))


@engines
def test_strided_trains(engine):
    output = spikes(4, 30, 2).permute(1, 2, 0).requires_grad_()
    target = spikes(30, 2, 8)[..., ::2]
    plain = output.detach().contiguous().requires_grad_()
    with use_engine(engine):
        losses = loss_of()(output, target), loss_of()(plain, target.contiguous())
        for loss in losses:
            loss.backward()
    assert losses[0] == losses[1]
    assert torch.equal(output.grad, plain.grad)


@pytest.mark.parametrize("shape", [(60,), (60, 5), (60, 2, 5), (60, 2, 1, 2, 2), (4000, 1)])
@pytest.mark.parametrize(("order", "length"), [(2, 100), (16, 100_000)])
def test_a_filtered_trace_is_what_the_loss_compares(shape, order, length):
    loss = loss_of(time_constant_ms=3, filter_order=order, filter_steps=length)
    train = np.random.default_rng(1).random(shape) < 0.2
    trace = loss.filter(torch.from_numpy(train))
    h = impulse(math.exp(-1 / 3), order, min(length, len(train)))
    trace_TN = filtered(train.reshape(len(train), -1), h)
    assert (trace.dtype, trace.shape, trace.requires_grad) == (torch.float32, shape, False)
    np.testing.assert_allclose(trace.numpy().reshape(trace_TN.shape), trace_TN, rtol=1e-6)


def test_what_cannot_be_filtered() -> None:
    loss = SpikeTimeLoss(sections.SpikeTime(type="spike_time", time_constant_ms=3), 1)
    with pytest.raises(TypeError, match="tensor"):
        loss.filter(np.zeros(3))  # pyright: ignore[reportArgumentType]
    for wrong in (torch.tensor(1.0), torch.zeros(0, 3)):
        with pytest.raises(ValueError, match="is needed"):
            loss.filter(wrong)
    with pytest.raises(ValueError, match="SpikeMaxLoss compares no"):
        SpikeMaxLoss(sections.SpikeMax(type="spike_max")).filter(torch.zeros(3))
