"""CUBA neurons on the CUDA engine against exact integers and the gradients of the equations.

Without a GPU, Triton interprets the kernels (see ``conftest``). That takes about ten milliseconds
for each step and block of columns, so layers are small here.
"""

from __future__ import annotations

import importlib.util
import math

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from netdesc.kernels.neuron_parameters import make_dynamics
from support import cuba_oracle
from support.cuba_cases import GPU, Layer, layers, plain_layer
from support.cuba_gradients import LEARNT, expected_gradients, gradients, random_grad, sizes
from support.cuba_gradients import check as check_gradients
from support.grids import check_examples, examples

from netdesc.kernels import operators
from netdesc.kernels.engine import use_engine
from netdesc.kernels.fixed_point import STATE_UNIT
from netdesc.kernels.quantization import quantize
from netdesc.kernels.reference import engine as reference
from netdesc.neurons.expressions import PARAMETER_LIMIT

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("triton") is None, reason="Triton is not installed"
    ),
    # Tests overflow on purpose, of which numpy warns.
    pytest.mark.filterwarnings("ignore::RuntimeWarning:triton.runtime.interpreter"),
]

ONE, EMPTY = torch.tensor(1.0, device=GPU), torch.empty(0, device=GPU)


def check(layer: Layer) -> None:
    """Compares all results of the forward pass with exact integers."""
    exact = layer.exact()
    out, voltage, notes = layer.forward("cuda")
    assert (out.dtype, voltage.dtype, notes.dtype) == (torch.float32, torch.int32, torch.int64)
    assert {x.device.type for x in (out, voltage, notes)} == {GPU.type}
    np.testing.assert_array_equal(voltage.cpu().numpy(), exact.v)
    np.testing.assert_array_equal(out.cpu().numpy(), exact.out)
    peaks = [np.abs(exact.u).max(), np.abs(exact.v).max()]
    assert notes.tolist() == [*peaks, 0, exact.out.sum()]


def cuba(z: torch.Tensor, *numbers: float, decays=(ONE, ONE)) -> list[torch.Tensor]:
    with use_engine("cuda"):
        results = operators.cuba(z.to(GPU), *decays, EMPTY, EMPTY, [*map(float, numbers)])
    return [result.cpu() for result in results]


def near_layers(max_steps: int) -> st.SearchStrategy[Layer]:
    """Layers whose thresholds are not clamped, as parameters of generated neurons are."""
    limit = PARAMETER_LIMIT / STATE_UNIT
    return layers(max_steps=max_steps).filter(lambda layer: layer.threshold <= limit)


@examples(6, 40)
def test_the_engine_computes_the_equations(number):
    check_examples(number, check, near_layers(max_steps=17))


@pytest.mark.parametrize("steps", [1, 7, 8, 9])
@pytest.mark.parametrize(("batch", "neurons"), [(1, 1), (1, 32), (3, 11), (2, 32)])
def test_shapes_around_the_size_of_a_block(steps, batch, neurons):
    """A bias changes states beyond the last step, which must not count."""
    layer = plain_layer(1, steps=steps, batch=batch, neurons=neurons, inputs=3, density=0.5)
    layer.bias = np.linspace(-1, 0.3, neurons, dtype=np.float32)
    check(layer)


def test_wide_layers_take_wider_blocks(monkeypatch):
    from netdesc.kernels.cuda import launch

    narrow, wide = launch.block_size(1000), launch.block_size(100_000)
    assert narrow < wide
    monkeypatch.setattr(launch, "_MAX_ONE_WARP_COLUMNS", 0)
    assert launch.block_size(1000) == wide
    layer = plain_layer(2, steps=9, neurons=97)
    check(layer)
    check_gradients(layer, "cuda", sizes(layer, random_grad(layer)))


def test_a_voltage_at_the_threshold_does_not_spike():
    z = torch.tensor([30 / 64, 0.5, 34 / 64]).expand(3, 1, 3)
    out, voltage, _ = cuba(z, 0.5, 1.0, 1.0, False)
    assert voltage[:, 0].tolist() == [[30 * 64, 2048, 34 * 64]] * 3
    assert out[:, 0].tolist() == [[0, 0, 1]] * 3


def test_silence_and_spikes_everywhere():
    silent = plain_layer(1, steps=9, density=0.0)
    check(silent)
    assert silent.forward("cuda")[0].sum() == 0
    loud = plain_layer(1, steps=9, density=1.0, threshold=1 / 64, delay=False)
    loud.weight[:] = 4.0
    check(loud)
    assert (loud.forward("cuda")[0] == 1).all()


@pytest.mark.parametrize("sign", [-1, 1])
def test_states_saturate(sign):
    """Graded spikes of 1,000 through the largest weights saturate u at once, then v."""
    layer = plain_layer(2, steps=9, density=1.0, inputs=40, threshold=32768.0)
    layer.spikes *= 1000
    layer.weight[:] = sign * 100
    layer.current_decay = layer.voltage_decay = np.array(0, np.float32)
    layer.bias = np.full(37, sign * 1e6, np.float32)
    check(layer)
    assert (layer.forward("cuda")[1][-1] == sign * 2**29).all()


floats = st.floats(width=32, allow_nan=True, allow_infinity=True, allow_subnormal=True)


@given(
    st.lists(st.lists(floats, min_size=5, max_size=5), min_size=1, max_size=9),
    st.floats(0, 1, width=32),
    st.booleans(),
)
@example([[131072.0, 131071.99, -131072.0, np.nan, np.inf]] * 3, 0.0, True)
@example([[1e-45, -1e-45, 1 / 4096, -1.9999 / 4096, 3e38]] * 3, 0.25, False)
@settings(max_examples=10)
def test_any_float_as_an_input(rows, decay, delay):
    z = np.array(rows, np.float32)[:, None]
    exact = cuba_oracle.run(cuba_oracle.states_of(z), decay, 0.5, 1.0, delay=delay)
    decays = torch.tensor(decay, device=GPU), torch.tensor(0.5, device=GPU)
    out, voltage, _ = cuba(torch.from_numpy(z), 1.0, 1.0, 1.0, delay, decays=decays)
    with use_engine("cuda"):
        current = operators.leaky(torch.from_numpy(z).to(GPU), decays[0])
    np.testing.assert_array_equal(voltage.numpy(), exact.v)
    np.testing.assert_array_equal(out.numpy(), exact.out)
    np.testing.assert_array_equal(current.cpu().numpy(), (exact.u / 4096).astype(np.float32))


CORNERS = np.array(
    [s * ((1 << bit) + off) for bit in range(30) for s in (-1, 1) for off in (-1, 0, 1)]
)


def test_decay_is_exact_in_every_corner_of_the_states():
    """A column for every state and decay: the state is the input of step 0 and decays in step 1."""
    keeps = np.array([0, 1, 3, 1365, 2047, 2048, 4095, 4096])
    states = CORNERS[(abs(CORNERS) <= 2**29) & (CORNERS.astype(np.float32) == CORNERS)]
    z = np.zeros((2, len(keeps), len(states)), np.float32)
    z[0] = states / 4096
    for keep, row in zip(keeps, z.transpose(1, 0, 2), strict=True):
        decay = torch.tensor(float(1 - keep / 4096), device=GPU)
        with use_engine("cuda"):
            u = operators.leaky(torch.from_numpy(row[:, None].copy()).to(GPU), decay)
        product = int(keep) * states.astype(object)
        expected = [-(-p // 4096) if p < 0 else p // 4096 for p in product]
        assert (u[1, 0].cpu().double() * 4096).tolist() == [float(np.float32(e)) for e in expected]


# Products


def test_nan_and_infinite_weights_count_alike_on_engines():
    for density in (0.05, 1.0):
        layer = plain_layer(4, steps=5, density=density)
        layer.weight[0, :3] = np.nan, np.inf, -np.inf
        check(layer)


@pytest.mark.parametrize("value", [0.5, 3.0, 1 / 3, 2049.0, 1e-7, -1.0])
def test_graded_spikes_among_others(value):
    """Several tiles of rows and inputs, one of which holds a value that is not binary."""
    layer = plain_layer(5, steps=35, batch=3, inputs=70, neurons=6, density=0.1)
    layer.spikes[30, 2, 69] = value
    layer.weight[:, 69] = 0.5  # so that the sum is exact whatever the value
    assert 35 * 3 > 64
    check(layer)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 3.4e38])
@pytest.mark.parametrize("count", [1, 5])
def test_nan_and_infinite_inputs_count_as_in_the_reference(value, count):
    layer = plain_layer(6, steps=5, batch=3, density=0.3)
    layer.spikes[2, 1, :count] = value
    layer.weight[:, 1:5] = layer.weight[:, :1]  # sums overflow in whatever order they are taken
    found, expected = layer.forward("cuda"), layer.forward("reference")
    for ours, theirs in zip(found, expected, strict=True):
        assert torch.equal(ours.cpu(), theirs)


@pytest.mark.parametrize("bits", [1, 4, 12, 13, 16])
def test_weights_of_any_width(bits):
    """Above 12 bits, 16-bit floats do not hold the halves. Some weights are clamped."""
    from netdesc.kernels.cuda import synapses

    random = torch.Generator().manual_seed(0)
    spikes = (torch.rand(40, 2, 50, generator=random) < 0.1).float()
    weight = torch.randn(70, 50, generator=random) * 2**bits / 40
    expected = spikes @ quantize(weight, bits).T
    assert torch.equal(
        synapses.input_currents(spikes.to(GPU), weight.to(GPU), bits).cpu(), expected
    )


@pytest.mark.parametrize(
    ("rows", "outputs", "inputs"), [(1, 1, 1), (300, 3, 5), (2000, 70, 65), (65, 130, 33)]
)
def test_gradients_of_the_product(rows, outputs, inputs):
    """Many rows are added up in parts; weights that are clamped or NaN get a gradient of 0."""
    from netdesc.kernels.cuda import synapses

    random = torch.Generator().manual_seed(0)
    grad_z = torch.randn(rows, 1, outputs, generator=random)
    signal = torch.randn(rows, 1, inputs, generator=random)
    signal *= torch.rand(signal.shape, generator=random) < 0.2
    weight = torch.randn(outputs, inputs, generator=random) * 4
    weight.view(-1)[7:8] = math.nan
    inside = ((weight * 32).round() >= -128) & ((weight * 32).round() <= 127)
    of_weight = torch.einsum("rbo,rbi->oi", grad_z.double(), signal.double()) * inside
    of_signal = grad_z.double() @ quantize(weight, 8).double()
    ours = grad_z.to(GPU), signal.to(GPU), weight.to(GPU)
    for found, expected in (
        (synapses.weight_gradient(*ours, 8), of_weight),
        (synapses.input_gradient(ours[0], ours[2], 8), of_signal),
    ):
        size = expected.abs().max().item()
        torch.testing.assert_close(found.cpu().double(), expected, rtol=0, atol=1e-5 * size)


def test_strided_tensors():
    layer = plain_layer(5, steps=9)
    tensors = layer.tensors(engine="cuda")
    wide = torch.zeros(9, 2, 40, device=GPU)
    wide[:, :, ::2] = tensors["spikes"]
    tensors["spikes"] = wide[:, :, ::2]
    tensors["weight"] = tensors["weight"].T.contiguous().T
    out, voltage, *_ = layer.forward("cuda", tensors)
    np.testing.assert_array_equal(voltage.cpu().numpy(), layer.exact().v)
    np.testing.assert_array_equal(out.cpu().numpy(), layer.exact().out)


# Gradients


@examples(5, 40)
def test_the_engine_gives_the_gradients_of_the_equations(number):
    def check_layer(layer: Layer, tau_grad: float, scale_grad: float) -> None:
        assume(np.abs(layer.exact().v).max() < cuba_oracle.LIMIT)  # no equation covers saturation
        layer.tau_grad, layer.scale_grad = tau_grad, scale_grad
        check_gradients(layer, "cuda", sizes(layer, random_grad(layer)))

    widths, heights = st.sampled_from([0.01, 0.1, 1.0, 5.0]), st.sampled_from([0.5, 1.0])
    check_examples(number, check_layer, near_layers(max_steps=12), widths, heights)


@pytest.mark.parametrize("delay", [False, True])
def test_gradients_of_a_layer_that_spikes(delay):
    decays = np.random.default_rng(1).random((2, 40)).astype(np.float32)
    decays[:, :2] = [[0, 1], [1, 0]]
    layer = plain_layer(
        6, density=0.3, neurons=40, steps=33, delay=delay,
        current_decay=decays[0], voltage_decay=decays[1],
    )  # fmt: skip
    layer.weight[::5] *= 10
    assert 0.02 < layer.exact().spikes.mean() < 0.6
    assert (cuba_oracle.integer_weight(layer.weight) == 254).any()
    largest = expected_gradients(layer, random_grad(layer))
    check_gradients(layer, "cuda", {name: np.abs(g).max() for name, g in largest.items()})


def test_the_current_alone_has_the_gradients_of_the_reference():
    random = torch.Generator().manual_seed(0)
    z, grad = (torch.randn(11, 2, 37, generator=random) for _ in range(2))
    decay = torch.rand(37, generator=random)
    decay[:2] = torch.tensor([0.0, 1.0])
    results = []
    for engine, device in (("cuda", GPU), ("reference", torch.device("cpu"))):
        leaves = [x.to(device).requires_grad_() for x in (z.clone(), decay.clone())]
        with use_engine(engine):
            operators.leaky(*leaves).backward(grad.to(device))
        results.append([leaf.grad.cpu() for leaf in leaves])
    for ours, theirs in zip(*results, strict=True):
        size = theirs.abs().max().item()
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5 * size)


@pytest.mark.parametrize("tau_grad", [0.002, 0.1, 1.0])
def test_one_step_has_the_gradient_of_the_surrogate(tau_grad):
    z = torch.tensor([-1.0, 0.0, 0.05, 6 / 64, 0.125, 3.0]).reshape(1, 1, 6).to(GPU)
    z.requires_grad_()
    with use_engine("cuda"):
        out, voltage, _ = operators.cuba(z, ONE, ONE, EMPTY, EMPTY, [0.1, tau_grad, 0.25, 0.0])
        out.sum().backward()
    tau = 100 * tau_grad * 6 / 64
    v = voltage.cpu().double() / 4096
    expected = 0.25 * 0.1 / (2 * tau) * torch.exp(-(v - 6 / 64).abs() / tau)
    torch.testing.assert_close(z.grad.cpu().double(), expected, rtol=3e-6, atol=1e-12)


def test_only_needed_gradients_are_computed():
    """A gradient that is needed alone equals the one beside others, and no other is computed."""
    layer = plain_layer(10, steps=9)
    grad_out = random_grad(layer)
    all_gradients = gradients(layer, "cuda", grad_out)
    for learnt in LEARNT:
        tensors = layer.tensors(learnt, engine="cuda")
        out, *_ = layer.forward("cuda", tensors)
        out.backward(torch.from_numpy(grad_out.astype(np.float32)).to(GPU))
        np.testing.assert_array_equal(tensors[learnt].grad.cpu().numpy(), all_gradients[learnt])
        assert all(x.grad is None for name, x in tensors.items() if name != learnt)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_nan_and_infinite_gradients_propagate(bad):
    layer = plain_layer(15, steps=9)
    grad_out = random_grad(layer)
    clean = gradients(layer, "cuda", grad_out)
    grad_out[6, 1, 5] = bad
    found = gradients(layer, "cuda", grad_out)
    for name in LEARNT:
        assert not np.isfinite(found[name]).all(), name
    others = np.arange(37) != 5
    np.testing.assert_array_equal(found["weight"][others], clean["weight"][others])


def test_results_have_the_types_and_shapes_of_the_reference():
    """Of all results, including gradients that are not needed."""
    from netdesc.kernels.cuda import engine

    layer = plain_layer(16, steps=5)
    results = []
    for functions, device in ((engine, GPU), (reference, torch.device("cpu"))):
        tensors = {name: tensor.to(device) for name, tensor in layer.tensors().items()}
        decays = tensors["current_decay"].expand(37), tensors["voltage_decay"].expand(37)
        bias = tensors["bias"]
        neurons = make_dynamics(37, *decays, bias, bias.new_empty(0), layer.numbers)
        dense = tensors["spikes"], tensors["weight"], 8
        out, voltage, notes = functions.dense_cuba(*dense, neurons)
        back = functions.dense_cuba_backward(out, *dense, voltage, neurons, False, False)
        u = functions.leaky(out, tensors["current_decay"])
        results.append(
            [out, voltage, notes, *back, u,
             *functions.leaky_backward(out, u.new_empty(0), tensors["current_decay"], False)]
        )  # fmt: skip
    for ours, theirs in zip(*results, strict=True):
        assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
        assert ours.is_contiguous()


ODD = [math.nan, math.inf, -math.inf, -0.25, 1.5, 0.0, 1.0, 0.5 / 4096, 1.5 / 4096, 0.3]


def test_odd_decays_and_biases_are_quantised_as_in_the_reference():
    odd = torch.tensor(ODD)
    z = torch.linspace(-2, 3, 7 * len(ODD)).reshape(7, 1, len(ODD))
    results = []
    for engine, device in (("cuda", GPU), ("reference", torch.device("cpu"))):
        with use_engine(engine):
            z_leaf = z.to(device).requires_grad_()
            decays, bias = odd.to(device).requires_grad_(), (odd * 0.3).clamp(-9, 9).to(device)
            out, voltage, notes = operators.cuba(
                z_leaf, decays, decays.flip(0), bias, bias.new_empty(0), [1.0, 0.01, 1.0, 0.0]
            )
            u = operators.leaky(z_leaf, decays)
            (out * voltage + u).sum().backward()
        assert z_leaf.grad is not None
        results.append([x.detach().cpu() for x in (out, voltage, notes, u, z_leaf.grad)])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=0.0)
    assert results[0][0].sum() > 5


def test_the_width_is_read_from_the_device():
    """The number among ``numbers`` cannot change after a step was captured."""
    grads = []
    for tau_grad, tau in ((0.002, EMPTY), (1.0, torch.tensor(0.002, device=GPU)), (1.0, EMPTY)):
        z = torch.linspace(-1, 1, 40, device=GPU).reshape(4, 1, 10).requires_grad_()
        with use_engine("cuda"):
            out, *_ = operators.cuba(z, ONE, ONE, EMPTY, tau, [0.5, tau_grad, 1.0, 0.0])
            out.sum().backward()
        grads.append(z.grad)
    assert torch.equal(grads[0], grads[1])
    assert not torch.equal(grads[0], grads[2])
