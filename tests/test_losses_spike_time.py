"""The van Rossum distance against an explicit convolution, and its gradient against differences."""

from __future__ import annotations

import math
import weakref

import numpy as np
import pytest
import torch
from cuba_cases import ENGINES
from hypothesis import given, settings
from hypothesis import strategies as st
from modules_samples import dense, graph, spikes
from van_rossum_oracle import check, expected, impulse, trains

from netdesc.kernels import operators
from netdesc.kernels.cpu import van_rossum
from netdesc.kernels.engine import use_engine
from netdesc.kernels.packed_spikes import HEADER, are_packed
from netdesc.losses import SpikeTime, build_loss


@given(
    seed=st.integers(0, 2**32 - 1),
    steps=st.integers(1, 150),
    batch=st.integers(1, 3),
    neurons=st.integers(1, 40),
    decay=st.sampled_from([0.0, 0.1, math.exp(-1 / 2), 0.9, 0.97, 0.999, 1.0]),
    order=st.integers(1, 4),
    length=st.sampled_from([1, 2, 3, 7, 30, 100, 149, 150, 151, 1000]),
)
@settings(max_examples=80)
def test_engines_convolve(seed, steps, batch, neurons, decay, order, length):
    output, target = trains(seed, steps, batch, neurons)
    for engine in ENGINES:
        check(output, target, decay, order, length, engine)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize(("steps", "length"), [(100, 1), (100, 30), (100, 100), (100, 300)])
def test_lengths_around_the_number_of_steps(engine, order, steps, length):
    output, target = trains(1, steps, 2, 37)
    check(output, target, 0.9, order, length, engine)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("order", [1, 2, 3, 4, 8, 12])
def test_slow_filters_with_a_heavy_tail(engine, order):
    """1,000 ms cut after 100 steps: the recurrences' sums are far larger than what is left."""
    output, target = trains(2, 2000, 1, 5)
    check(output, target, math.exp(-1 / 1000), order, 100, engine, tolerance=2e-6)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_slow_filters_that_are_never_cut(engine, order):
    """A decay this close to 1 is too coarse in 32 bits, tail or not."""
    output, target = trains(2, 2000, 1, 5)
    check(output, target, math.exp(-1 / 3000), order, 100_000, engine, tolerance=2e-6)


def test_filters_that_recurrences_would_lose_are_convolved():
    slow = math.exp(-1 / 1000)
    assert van_rossum.convolved(slow, 2, 100, 2000) is None
    assert van_rossum.convolved(math.exp(-1 / 2), 16, 100, 2000) is None
    np.testing.assert_allclose(
        van_rossum.convolved(slow, 12, 100, 2000), impulse(slow, 12, 100), rtol=1e-12
    )


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("decay", "order", "length"), [(0.6, 2, 100), (0.99, 3, 10), (0.9, 1, 1)])
def test_the_gradient_is_that_of_differences(engine, decay, order, length):
    """The loss is a quadratic, so a central difference is exact but for rounding."""
    rng = np.random.default_rng(3)
    output = torch.from_numpy(rng.normal(size=(40, 2, 3)).astype(np.float32)).requires_grad_()
    target = torch.from_numpy(rng.normal(size=(40, 2, 3)).astype(np.float32))

    def loss(at: torch.Tensor) -> torch.Tensor:
        with use_engine(engine):
            return operators.spike_time(at, target, decay, order, length)[0]

    loss(output).backward()
    for _ in range(5):
        direction = torch.from_numpy(rng.normal(size=(40, 2, 3)).astype(np.float32))
        with torch.no_grad():
            difference = (loss(output + direction) - loss(output - direction)) / 2
        along = (output.grad * direction).sum().item()
        assert along == pytest.approx(difference.item(), rel=1e-3, abs=1e-4 * loss(output).item())


@pytest.mark.parametrize("engine", ENGINES)
def test_filter_and_adjoint_are_transposes(engine):
    """⟨∇‖h ∗ x‖², y⟩ = 2 ⟨h ∗ x, h ∗ y⟩ = ‖h ∗ (x + y)‖² − ‖h ∗ x‖² − ‖h ∗ y‖², for any x and y."""
    rng = np.random.default_rng(4)
    x, y = (torch.from_numpy(rng.normal(size=(60, 1, 5)).astype(np.float32)) for _ in range(2))
    x.requires_grad_()
    nothing = torch.zeros_like(y)
    for of_filter in ((0.6, 2, 100), (0.999, 2, 20), (0.999, 1, 7)):
        with use_engine(engine):
            own, other, both = (
                operators.spike_time(each, nothing, *of_filter)[0] for each in (x, y, x + y)
            )
            (gradient,) = torch.autograd.grad(own, x)
        left, right = (gradient * y).sum().item(), (both - own - other).item()
        assert left == pytest.approx(right, rel=1e-3, abs=1e-4 * both.item())


@pytest.mark.parametrize("odd", [-1.0, 0.5, -0.0, 2.0])
@pytest.mark.parametrize(("decay", "length"), [(0.6, 100), (0.99, 7)])
def test_one_value_that_is_no_spike(odd, decay, length):
    """It does not fit into a bit; the gradient is that of the values themselves."""
    output, target = spikes(70, 2, 40), spikes(70, 2, 40, seed=1)
    output[33, 1, 35] = odd
    grads = []
    for engine in ENGINES:
        leaf = output.clone().requires_grad_()
        with use_engine(engine):
            operators.spike_time(leaf, target, decay, 2, length)[0].backward()
        grads.append(leaf.grad)
    torch.testing.assert_close(*grads, rtol=1e-4, atol=1e-4)


@given(
    steps=st.integers(1, 130),
    batch=st.integers(1, 3),
    neurons=st.integers(1, 70),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=60)
def test_spikes_are_packed_and_the_output_is_let_go(steps, batch, neurons, seed):
    rng = np.random.default_rng(seed)
    given_TBN = torch.from_numpy((rng.random((steps, batch, neurons)) < 0.4).astype(np.float32))
    output = given_TBN.clone().requires_grad_()
    watched = weakref.ref(middle := output * 1)
    loss, kept = operators.spike_time(middle, torch.zeros_like(output), 0.6, 2, 100)
    del middle
    assert watched() is None
    assert are_packed(kept)
    words = kept[HEADER:].numpy().view(np.uint32).reshape(-1, batch, neurons)
    places = np.arange(32, dtype=np.uint32)[:, None, None]
    bits = (words[:, None] >> places & 1).reshape(-1, batch, neurons)
    np.testing.assert_array_equal(bits[:steps], given_TBN.numpy())
    assert not bits[steps:].any()
    loss.backward()
    assert loss == 0 or output.grad.abs().sum() > 0


def loss_of(**more) -> SpikeTime:
    return build_loss(graph(dense("only", 3), **more))


def test_the_loss_of_a_document():
    output, target = trains(5, 50, 2, 6)
    h = impulse(math.exp(-0.5 / 4.0), 2, 30)
    total, _ = expected(output, target, h)
    made = loss_of(time_constant_ms=4.0, step_ms=0.5, filter_order=2, filter_steps=30)
    both = torch.from_numpy(output), torch.from_numpy(target)
    assert made(*both).item() == pytest.approx(total, rel=1e-6)
    mean = loss_of(
        time_constant_ms=4.0, step_ms=0.5, filter_order=2, filter_steps=30, reduction="mean"
    )
    assert mean(*both).item() == pytest.approx(total / output.size, rel=1e-6)
    shaped = [tensor.reshape(50, 2, 3, 2) for tensor in both]
    assert made(*shaped).item() == made(*both).item()


def test_the_mean_of_the_gradient():
    grads = []
    for reduction in ("sum", "mean"):
        output = spikes(30, 2, 4).requires_grad_()
        loss_of(reduction=reduction)(output, spikes(30, 2, 4, seed=1)).backward()
        grads.append(output.grad)
    torch.testing.assert_close(grads[1] * 240, grads[0])


def test_equal_trains_cost_nothing():
    loss = loss_of()
    output = spikes(30, 2, 4).requires_grad_()
    value = loss(output, output.detach().clone())
    value.backward()
    assert value == 0
    assert (output.grad == 0).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_one_missing_spike(engine):
    """By hand: Σ exp(−2n/τ) over the steps that are left, here all hundred."""
    target = torch.zeros(200, 1, 1)
    target[20] = 1
    with use_engine(engine):
        loss = loss_of(time_constant_ms=10.0)(torch.zeros_like(target), target)
    assert loss.item() == pytest.approx(sum(math.exp(-2 * n / 10) for n in range(100)), rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64, torch.float64])
def test_targets_of_any_type(dtype):
    output, target = spikes(30, 2, 4), spikes(30, 2, 4, seed=1)
    assert torch.equal(loss_of()(output, target.to(dtype)), loss_of()(output, target))
    assert torch.equal(loss_of()(output.to(dtype), target), loss_of()(output, target))


@pytest.mark.parametrize(
    ("output", "target", "message"),
    [
        ((30, 2, 4), (30, 2, 5), r"output has shape \[30, 2, 4\], its target \[30, 2, 5\]"),
        ((30, 2, 4), (30, 1, 4), "its target"),
        ((30, 2, 4), (30, 2, 4, 1), "its target"),
        ((30, 2), (30, 2), r"\[steps, batch, \*shape\] is needed, not shape \[30, 2\]"),
        ((30, 0, 4), (30, 0, 4), r"\[30, 0, 4\].* each at least 1"),
    ],
)
def test_shapes_that_do_not_fit(output, target, message):
    for reduction in ("sum", "mean"):
        with pytest.raises(ValueError, match=message):
            loss_of(reduction=reduction)(torch.zeros(output), torch.zeros(target))


def test_trains_that_are_no_tensors():
    with pytest.raises(TypeError, match=r"the target: .* not ndarray; torch.as_tensor makes one"):
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


@pytest.mark.parametrize("engine", ENGINES)
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
