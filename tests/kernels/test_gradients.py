"""Gradients of both engines against autograd through the equations, and against differences."""

from __future__ import annotations

import math

import numba
import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support import cuba_oracle
from support.cuba_cases import ENGINES, layers, plain_layer, segment_of_one
from support.cuba_gradients import LEARNT, check, expected_gradients, gradients, random_grad, sizes

from netdesc.kernels import operators
from netdesc.kernels.cpu import engine as cpu_engine
from netdesc.kernels.cpu.runtime.simd import LANES
from netdesc.kernels.cpu.runtime.simd_memory import load, store
from netdesc.kernels.cpu.runtime.state_arithmetic import surrogate
from netdesc.kernels.engine import use_engine

EMPTY = torch.empty(0)


@given(layers(max_steps=20), st.sampled_from([0.01, 0.1, 1.0, 5.0]), st.sampled_from([0.5, 1.0]))
@settings(max_examples=60)
def test_engines_give_the_gradients_of_the_equations(layer, tau_grad, scale_grad):
    assume(np.abs(layer.exact().v).max() < cuba_oracle.LIMIT)  # no equation covers saturation
    layer.tau_grad, layer.scale_grad = tau_grad, scale_grad
    for engine in ENGINES:
        check(layer, engine, sizes(layer, random_grad(layer)))


@pytest.mark.parametrize("density", [0.05, 0.5])
@pytest.mark.parametrize("delay", [False, True])
@pytest.mark.parametrize("engine", ENGINES)
def test_gradients_of_a_layer_that_spikes(engine, delay, density):
    """Large enough for several tiles, with spikes, resets and clamped weights."""
    decays = np.random.default_rng(1).random((2, 70)).astype(np.float32)
    layer = plain_layer(
        6, density=density, neurons=70, steps=60, delay=delay, batch=3,
        current_decay=decays[0], voltage_decay=decays[1],
    )  # fmt: skip
    layer.weight[::5] *= 10
    assert 0.02 < layer.exact().spikes.mean() < 0.6
    assert (cuba_oracle.integer_weight(layer.weight) == 254).any()
    largest = expected_gradients(layer, random_grad(layer))
    check(layer, engine, {name: np.abs(grad).max() for name, grad in largest.items()})


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", ["input", "events", "product"])
@pytest.mark.parametrize("which", ["current_decay", "voltage_decay"])
@pytest.mark.parametrize("decay", [0.1, 0.35, 0.8])
def test_decay_gradients_equal_finite_differences(engine, kind, which, decay):
    """The loss is Σ grad · R(v), where R' is the surrogate, on neurons too small to spike.

    Their states are thousands of grid units wide and the decay moves by whole units of 1/4096, so
    the grid hides nothing.
    """
    rng = np.random.default_rng(5)
    density = 0.5 if kind == "product" else 0.08
    spikes = torch.from_numpy((rng.random((12, 2, 40)) < density).astype(np.float32))
    weight = torch.from_numpy(rng.normal(0, 2, (6, 40)).astype(np.float32))
    z = torch.from_numpy(rng.normal(0, 20, (12, 2, 6)).astype(np.float32))
    grad = torch.from_numpy(rng.normal(size=(12, 2, 6)).astype(np.float32))
    theta, tau_grad = 2000.0, 0.005
    tau = 100 * tau_grad * theta
    numbers = [theta, tau_grad, 1.0, 0.0]

    def run(value: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        decays = {"current_decay": 0.2, "voltage_decay": 0.2} | {which: value}
        pair = [torch.tensor(x, requires_grad=True) for x in decays.values()]
        with use_engine(engine):
            if kind == "input":
                out, voltage, *_ = operators.cuba(z, *pair, EMPTY, EMPTY, numbers)
            else:
                out, voltage, _ = segment_of_one(spikes, weight, tuple(pair), EMPTY, numbers)
        return out, voltage, pair[which == "voltage_decay"]

    def loss(value: float) -> float:
        _, voltage, _ = run(value)
        distance = theta - voltage.double() / 4096
        assert (distance > 0).all()
        return float((grad * (0.1 / 2) * torch.exp(-distance / tau)).sum())

    at = round(decay * 4096) / 4096
    out, _, learnt = run(at)
    (out * grad).sum().backward()
    differences = [(loss(at + h) - loss(at - h)) / (2 * h) for h in (16 / 4096, 32 / 4096)]
    slope = (4 * differences[0] - differences[1]) / 3
    assert abs(slope) > 1e-4
    assert learnt.grad.item() == pytest.approx(slope, rel=2e-3)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_current_alone_has_the_gradients_of_a_filter(engine):
    rng = np.random.default_rng(7)
    z = rng.normal(size=(25, 2, 37)).astype(np.float32)
    decay = (rng.integers(0, 4097, 37) / 4096).astype(np.float32)
    grad = rng.normal(size=z.shape)
    leaves = [torch.from_numpy(x.copy()).requires_grad_() for x in (z, decay)]
    with use_engine(engine):
        operators.leaky(*leaves).backward(torch.from_numpy(grad.astype(np.float32)))
    exact = [torch.from_numpy(x.astype(np.float64)).requires_grad_() for x in (z, decay)]
    u, currents = torch.zeros(2, 37, dtype=torch.float64), []
    for z_t in exact[0]:
        u = (1 - exact[1]) * u + z_t
        currents.append(u)
    torch.stack(currents).backward(torch.from_numpy(grad))
    for found, true in zip(leaves, exact, strict=True):
        size = true.grad.abs().max()
        # The filter in doubles has no grid: its currents are up to 25 units of 1/4096 off.
        assert ((found.grad - true.grad).abs() < 1e-3 * size).all()
    torch.testing.assert_close(leaves[0].grad.double(), exact[0].grad, rtol=1e-5, atol=1e-5)


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
@pytest.mark.parametrize("tau_grad", [0.002, 0.1, 1.0])
@pytest.mark.parametrize("scale_grad", [0.25, 1.0])
def test_one_step_has_the_gradient_of_the_surrogate(engine, tau_grad, scale_grad):
    """The threshold is quantised: 0.1 is 6/64."""
    z = torch.tensor([-1.0, 0.0, 0.05, 6 / 64, 0.125, 3.0]).reshape(1, 1, 6).requires_grad_()
    decay = torch.tensor(0.5)
    with use_engine(engine):
        out, voltage, _ = operators.cuba(
            z, decay, decay, EMPTY, EMPTY, [0.1, tau_grad, scale_grad, 0.0]
        )
        out.sum().backward()
    tau = 100 * tau_grad * 6 / 64
    v = voltage.double() / 4096
    expected = scale_grad * 0.1 / (2 * tau) * torch.exp(-(v - 6 / 64).abs() / tau)
    torch.testing.assert_close(z.grad.double(), expected, rtol=3e-6, atol=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_spike_after_the_end_has_no_gradient(engine):
    layer = plain_layer(9, steps=1)
    layer.spikes[:] = 1
    tensors = layer.tensors(*LEARNT)
    layer.forward(engine, tensors)[0].sum().backward()
    assert all((tensors[name].grad == 0).all() for name in LEARNT)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("density", [0.05, 0.5])
def test_only_needed_gradients_are_computed(engine, density):
    """A gradient that is needed alone equals the one beside others, and no other is computed."""
    layer = plain_layer(10, density=density)
    grad_out = np.random.default_rng(1).normal(size=(30, 2, 37))
    all_gradients = gradients(layer, engine, grad_out)
    for learnt in ("spikes", "weight", "current_decay", "voltage_decay"):
        tensors = layer.tensors(learnt)
        out, voltage, notes = layer.forward(engine, tensors)
        assert not any(x.requires_grad for x in (voltage, notes))
        out.backward(torch.from_numpy(grad_out.astype(np.float32)))
        np.testing.assert_array_equal(tensors[learnt].grad.numpy(), all_gradients[learnt])
        assert all(x.grad is None for name, x in tensors.items() if name != learnt)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_no_gradients_without_autograd(engine, mode):
    layer = plain_layer(11)
    with mode():
        out, voltage, *_ = layer.forward(engine, layer.tensors(*LEARNT))
    assert not out.requires_grad
    np.testing.assert_array_equal(voltage.numpy(), layer.exact().v)
    # Tensors that inference mode has cached can be used in training.
    tensors = layer.tensors(*LEARNT)
    layer.forward(engine, tensors)[0].sum().backward()
    assert tensors["weight"].grad.abs().sum() > 0


@pytest.mark.parametrize("density", [0.05, 0.5])
def test_the_backward_pass_runs_on_the_engine_of_the_forward_pass(density, monkeypatch):
    layer = plain_layer(12, density=density)
    grad_out = np.random.default_rng(1).normal(size=(30, 2, 37))
    tensors = layer.tensors(*LEARNT)
    out, *_ = layer.forward("reference", tensors)
    monkeypatch.setattr(cpu_engine, "segment_backward", None)  # a call would fail
    out.backward(torch.from_numpy(grad_out.astype(np.float32)))
    slow = gradients(layer, "reference", grad_out)
    np.testing.assert_array_equal(tensors["weight"].grad.numpy(), slow["weight"])
    with pytest.raises(TypeError, match="NoneType"):
        layer.forward("cpu", layer.tensors("weight"))[0].sum().backward()


def test_a_second_backward_pass_gives_the_same_gradients():
    layer = plain_layer(13)
    tensors = layer.tensors(*LEARNT)
    out, *_ = layer.forward("cpu", tensors)
    leaves = [tensors[name] for name in LEARNT]
    grad = torch.ones_like(out)
    first = torch.autograd.grad(out, leaves, grad, retain_graph=True)
    copies = [tensor.clone() for tensor in first]
    for seed in range(20):  # overwrite every free buffer
        gradients(plain_layer(seed), "cpu", np.random.default_rng(seed).normal(size=(30, 2, 37)))
    second = torch.autograd.grad(out, leaves, grad)
    for results in (first, second):
        assert all(torch.equal(a, b) for a, b in zip(results, copies, strict=True))


@pytest.mark.parametrize("engine", ENGINES)
def test_second_derivatives_are_refused(engine):
    layer = plain_layer(14)
    tensors = layer.tensors("weight")
    out, *_ = layer.forward(engine, tensors)
    with pytest.raises(NotImplementedError, match="no second derivative"):
        torch.autograd.grad(out.sum(), tensors["weight"], create_graph=True)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_nan_and_infinite_gradients_propagate(engine, bad):
    """Otherwise training would not notice them."""
    layer = plain_layer(15)
    grad_out = np.random.default_rng(1).normal(size=(30, 2, 37))
    clean = gradients(layer, engine, grad_out)
    grad_out[20, 1, 5] = bad
    found = gradients(layer, engine, grad_out)
    for name in LEARNT:
        assert not np.isfinite(found[name]).all(), name
    others = np.arange(37) != 5
    np.testing.assert_array_equal(found["weight"][others], clean["weight"][others])

    output = torch.rand(20, 1, 3)
    output[7, 0, 1] = bad
    output.requires_grad_()
    with use_engine(engine):
        loss, _ = operators.spike_time(output, torch.zeros_like(output), 0.6, 2, 100)
        loss.backward()
    assert not torch.isfinite(loss)
    assert not torch.isfinite(output.grad[:, 0, 1]).any()
    assert torch.isfinite(output.grad[:, 0, ::2]).all()


@numba.njit
def _surrogates(v, threshold, height, width):
    result = np.empty(v.size, np.float32)
    for at in range(0, v.size, LANES):
        n = min(LANES, v.size - at)
        store(result, at, surrogate(load(v, at, n), threshold, height, width), n)
    return result


def test_the_surrogate_and_its_arithmetic_exponential():
    """From the threshold to 60 widths on both sides, and beyond them; its height is exact."""
    theta, width = 5000, 1024.0
    distance = np.concatenate([np.arange(0, 60 * 1024, 7), [61 * 1024, 1 << 28, (1 << 29) + 5000]])
    true = 0.5 * np.exp(-np.minimum(distance / width, 60))
    for side in (-1, 1):
        v = (theta + side * distance).clip(-(2**29), 2**29).astype(np.int32)
        found = _surrogates(v, np.int32(theta), 0.5, width)
        np.testing.assert_allclose(found, true, rtol=1e-5)
        near = distance < 2 * width
        np.testing.assert_allclose(found[near], true[near], rtol=1e-6)
        assert found[0] == pytest.approx(0.5, rel=1e-7)
