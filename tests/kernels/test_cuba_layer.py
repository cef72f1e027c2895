"""A dense layer of CUBA neurons against exact integers, and gradients from the equations.

The oracle shares no code with the package, from the quantisation of weights to the surrogate.
"""

import math

import numba
import numpy as np
import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from support import cuba_oracle
from support.cuba_cases import (
    CUBA,
    ENGINES,
    MAX_PARAMETER,
    Layer,
    cuba_parameters,
    layers,
    plain_layer,
)
from support.cuba_gradients import LEARNT, check, expected_gradients, gradients, random_grad, sizes
from support.forward_checks import check_forward

from netdesc.kernels import operators
from netdesc.kernels.cpu import engine as cpu_engine
from netdesc.kernels.cpu.runtime.simd import LANES
from netdesc.kernels.cpu.runtime.simd_memory import load, store
from netdesc.kernels.cpu.runtime.state_arithmetic import fall
from netdesc.kernels.engines import use_engine
from netdesc.kernels.layer_neurons import EVENTS, PRODUCT


@given(layers())
@settings(max_examples=80)
def test_engines_compute_the_equations(layer):
    for engine in ENGINES:
        check_forward(layer, engine)


@given(layers(max_steps=20), st.sampled_from([0.01, 0.1, 1.0, 5.0]), st.sampled_from([0.5, 1.0]))
@settings(max_examples=40)
def test_engines_give_the_gradients_of_the_equations(layer, tau_grad, scale_grad):
    assume(np.abs(layer.exact().v).max() < cuba_oracle.LIMIT)  # no equation covers saturation
    layer.tau_grad, layer.scale_grad = tau_grad, scale_grad
    for engine in ENGINES:
        check(layer, engine, sizes(layer, random_grad(layer)))


@pytest.mark.parametrize("density", [0.05, 0.5])
@pytest.mark.parametrize("engine", ENGINES)
def test_gradients_of_a_layer_that_spikes(engine, density):
    """Large enough for several tiles, with spikes, resets and clamped weights."""
    decays = np.random.default_rng(1).random((2, 70)).astype(np.float32)
    layer = plain_layer(
        6, density=density, neurons=70, steps=60, batch=3,
        current_decay=decays[0], voltage_decay=decays[1],
    )  # fmt: skip
    layer.weight[::5] *= 10
    assert 0.02 < layer.exact().spikes.mean() < 0.6
    assert (cuba_oracle.integer_weight(layer.weight) == 254).any()
    largest = expected_gradients(layer, random_grad(layer))
    check(layer, engine, {name: np.abs(grad).max() for name, grad in largest.items()})


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("sign", [-1, 1])
def test_states_saturate(engine, sign):
    """Graded spikes of 1,000 through the largest weights saturate u at once, then v."""
    layer = plain_layer(2, density=1.0, inputs=40, threshold=MAX_PARAMETER, delay=False)
    layer.spikes *= 1000
    layer.weight[:] = sign * 100
    layer.current_decay = layer.voltage_decay = np.array(0, np.float32)
    layer.bias = np.full(37, sign * 100, np.float32)
    assert check_forward(layer, engine) == PRODUCT
    assert layer.exact().u[0, 0, 0] == sign * 2**29


@pytest.mark.parametrize("sign", [-1, 1])
def test_more_events_than_a_state_can_hold(sign):
    """200,000 events in one step would wrap 32 bits on the way to the state."""
    spikes = np.zeros((3, 1, 200_000), np.float32)
    spikes[1] = 1
    layer = plain_layer(3, spikes=spikes, weight=np.full((2, 200_000), sign * 4.0, np.float32))
    assert check_forward(layer, "cpu") == EVENTS
    assert layer.exact().v[1, 0, 0] == sign * 2**29


floats = st.floats(width=32, allow_nan=True, allow_infinity=True, allow_subnormal=True)


@given(
    st.lists(st.lists(floats, min_size=5, max_size=5), min_size=1, max_size=20),
    st.floats(0, 1, width=32),
    st.integers(0, 1),
)
@example([[131072.0, 131071.99, -131072.0, np.nan, np.inf]] * 3, 0.0, 1)
@example([[1e-45, -1e-45, 1 / 4096, -1.9999 / 4096, 3e38]] * 3, 0.25, 0)
@settings(max_examples=40)
def test_any_float_as_an_input(rows, decay, delay):
    z = np.array(rows, np.float32)[:, None]
    exact = cuba_oracle.run(cuba_oracle.states_of(z), decay, 0.5, 1.0, delay=bool(delay))
    decays = torch.tensor(decay), torch.tensor(0.5)
    parameters = cuba_parameters(decays, torch.empty(0), (1.0, 1.0, 1.0))
    for engine in ENGINES:
        with use_engine(engine):
            out, counts, *_ = operators.neurons(
                [torch.from_numpy(z)], [], parameters, [], CUBA, delay, False, False
            )
        np.testing.assert_array_equal(out.numpy(), exact.out)
        assert counts.tolist()[:2] == [np.abs(exact.u).max(), np.abs(exact.v).max()]


@pytest.mark.parametrize("engine", ENGINES)
def test_quantisation_rounds_halves_to_even_and_clamps(engine):
    halves = [0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 126.5, 127.5, -128.5, 0.49, 1e9, -1e9]
    rounded = [0, 2, 2, 0, -2, -2, 126, 127, -128, 0, 127, -128]
    weight = torch.tensor([*halves, float("inf"), -float("inf"), float("nan")]) / 32
    with use_engine(engine):
        quantized = operators.quantize_weight(weight, 8)
    assert (quantized * 32).tolist() == [*rounded, 127, -128, 0]


@pytest.mark.parametrize("density", [0.05, 1.0])
def test_nan_and_infinite_weights_count_alike_on_engines(density):
    layer = plain_layer(4, density=density)
    layer.weight[0, :3] = np.nan, np.inf, -np.inf
    for engine in ENGINES:
        check_forward(layer, engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_strided_tensors(engine):
    layer = plain_layer(5)
    tensors = layer.tensors()
    wide = torch.zeros(30, 2, 40)
    wide[:, :, ::2] = tensors["spikes"]
    tensors["spikes"] = wide[:, :, ::2]
    tensors["weight"] = tensors["weight"].T.contiguous().T
    assert not tensors["spikes"].is_contiguous()
    assert not tensors["weight"].is_contiguous()
    np.testing.assert_array_equal(layer.forward(engine, tensors)[0].numpy(), layer.exact().out)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("density", [0.05, 1.0])
def test_only_clamped_weights_get_no_gradient(engine, density):
    """NaN counts as a weight that was clamped to 0."""
    halves = torch.tensor(
        [-200.0, -128.51, -128.5, -128, 0.3, 127, 127.49, 127.51, 1e6, math.nan, math.inf]
    )
    inside = torch.tensor([False] * 2 + [True] * 5 + [False] * 4)
    weight, grad = (halves / 32).requires_grad_(), torch.arange(1.0, 12.0)
    with use_engine(engine):
        operators.quantize_weight(weight, 8).backward(grad)
    assert torch.equal(weight.grad, grad * inside)

    layer = plain_layer(8, density=density, inputs=20, neurons=11, threshold=3.0)
    layer.spikes[0] = 1
    layer.weight[:] = (halves / 32).numpy()[:, None]
    tensors = layer.tensors("weight")
    layer.forward(engine, tensors)[0].sum().backward()
    assert torch.equal((tensors["weight"].grad != 0).all(1), inside)
    assert torch.equal((tensors["weight"].grad != 0).any(1), inside)


@pytest.mark.parametrize("engine", ENGINES)
def test_no_gradients_without_autograd(engine):
    layer = plain_layer(11)
    with torch.inference_mode():
        out, _ = layer.forward(engine, layer.tensors(*LEARNT))
    assert not out.requires_grad
    # Tensors that inference mode has cached can be used in training.
    tensors = layer.tensors(*LEARNT)
    layer.forward(engine, tensors)[0].sum().backward()
    assert tensors["weight"].grad.abs().sum() > 0


@pytest.mark.parametrize("density", [0.05, 0.5])
def test_the_backward_pass_runs_on_the_engine_of_the_forward_pass(density, monkeypatch):
    layer = plain_layer(12, density=density)
    grad_out = random_grad(layer)
    tensors = layer.tensors(*LEARNT)
    out, _ = layer.forward("reference", tensors)
    monkeypatch.setattr(cpu_engine, "segment_backward", None)  # a call would fail
    out.backward(torch.from_numpy(grad_out.astype(np.float32)))
    slow = gradients(layer, "reference", grad_out)
    np.testing.assert_array_equal(tensors["weight"].grad.numpy(), slow["weight"])
    with pytest.raises(TypeError, match="NoneType"):
        layer.forward("cpu", layer.tensors("weight"))[0].sum().backward()


def test_a_second_backward_pass_gives_the_same_gradients():
    layer = plain_layer(13)
    tensors = layer.tensors(*LEARNT)
    out, _ = layer.forward("cpu", tensors)
    leaves = [tensors[name] for name in LEARNT]
    grad = torch.ones_like(out)
    first = torch.autograd.grad(out, leaves, grad, retain_graph=True)
    copies = [tensor.clone() for tensor in first]
    for seed in range(20):  # overwrite every free buffer
        gradients(plain_layer(seed), "cpu", random_grad(layer))
    second = torch.autograd.grad(out, leaves, grad)
    for results in (first, second):
        assert all(torch.equal(a, b) for a, b in zip(results, copies, strict=True))


def test_second_derivatives_are_refused():
    layer = plain_layer(14)
    tensors = layer.tensors("weight")
    out, _ = layer.forward("cpu", tensors)
    with pytest.raises(NotImplementedError, match="no second derivative"):
        torch.autograd.grad(out.sum(), tensors["weight"], create_graph=True)


@pytest.mark.parametrize("value", [math.nan, -0.5, 1.5, math.inf])
@pytest.mark.parametrize("per_neuron", [False, True])
def test_decays_are_clamped_to_their_range(value, per_neuron):
    """An optimizer's step may leave the range before decays are projected back."""
    shape = (37,) if per_neuron else ()
    clamped = min(1.0, max(0.0, value))
    for engine in ENGINES:
        found, expected = (
            Layer(**(vars(plain_layer(1)) | {
                name: np.full(shape, each, np.float32) for name in LEARNT[2:]
            })).forward(engine)
            for each in (value, clamped)
        )  # fmt: skip
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e30])
def test_any_bias(value):
    layer = plain_layer(1, bias=np.full(37, value, np.float32), threshold=MAX_PARAMETER)
    found, expected = layer.forward("cpu"), layer.forward("reference")
    assert torch.equal(found[0], expected[0])
    assert found[1][:2].tolist() == expected[1][:2].tolist()


def test_default_types_and_devices_do_not_change_cached_tensors():
    layer = plain_layer(1, current_decay=torch.tensor(0.123).numpy(), neurons=23)
    expected, _ = layer.forward("reference")
    tensors = layer.tensors()
    parameters = cuba_parameters(
        (tensors["current_decay"], tensors["voltage_decay"]), tensors["bias"], layer.numbers
    )

    def found() -> torch.Tensor:
        arguments = [tensors["weight"]], parameters, CUBA, [1, 0], False
        return operators.segment(tensors["spikes"], *arguments)[0]

    before = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float64)
        with torch.device("meta"):
            assert torch.equal(found(), expected)
    finally:
        torch.set_default_dtype(before)
    assert torch.equal(found(), expected)


@pytest.mark.parametrize("density", [0.05, 0.5])
@pytest.mark.parametrize("engine", ENGINES)
def test_autocast_changes_nothing_in_operators(engine, density):
    layer = plain_layer(2, density=density)
    leaves, results = ("spikes", "weight", "current_decay"), []
    for autocast in (False, True):
        tensors = layer.tensors(*leaves)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
            out, _ = layer.forward(engine, tensors)
            out.sum().backward()
        results.append([out, *(tensors[name].grad for name in leaves)])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


@pytest.mark.parametrize("engine", ENGINES)
def test_odd_numbers_as_spikes(engine):
    """Denormals, NaN and infinities neither crash nor spread to other samples."""
    layer = plain_layer(3, batch=2)
    clean, _ = layer.forward(engine)
    layer.spikes[1, 0, :5] = [1e-42, math.nan, math.inf, -math.inf, -0.0]
    odd, _ = layer.forward(engine)
    assert torch.isfinite(odd).all()
    assert torch.equal(odd[:, 1], clean[:, 1])


@numba.njit
def _falls(distances):
    result = np.empty_like(distances)
    for at in range(0, distances.size, LANES):
        n = min(LANES, distances.size - at)
        store(result, at, fall(load(distances, at, n)), n)
    return result


def test_the_arithmetic_exponential_of_the_surrogate():
    """Exact at the threshold, with a bounded error to 60 widths, and constant beyond."""
    distances = np.concatenate([np.arange(0, 60, 7 / 1024), [61, 2**19]]).astype(np.float32)
    true = np.exp(-np.minimum(distances.astype(np.float64), 60))
    found = _falls(distances)
    np.testing.assert_allclose(found, true, rtol=1e-5)
    near = distances < 2
    np.testing.assert_allclose(found[near], true[near], rtol=1e-6)
    assert found[0] == pytest.approx(1.0, rel=1e-7)
