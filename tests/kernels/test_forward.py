"""The forward pass of both engines equals exact integers in all spikes and states."""

from __future__ import annotations

import numba
import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support import cuba_oracle
from support.cuba_cases import ENGINES, Layer, layers, plain_layer
from support.forward_checks import EVENTS, PRODUCT, check_forward, decay_of_all

from netdesc.kernels import operators
from netdesc.kernels.cpu.runtime.simd import LANES
from netdesc.kernels.cpu.runtime.simd_memory import load, store
from netdesc.kernels.cpu.runtime.state_arithmetic import decay_state, to_state
from netdesc.kernels.cpu.spikes import event_list as events
from netdesc.kernels.engine import use_engine
from netdesc.kernels.reference import engine as reference_engine


@given(layers())
@settings(max_examples=120)
def test_engines_compute_the_equations(layer):
    for engine in ENGINES:
        check_forward(layer, engine)


@given(layers(graded=False, max_steps=15))
@settings(max_examples=40)
def test_events_and_product_agree(layer):
    density = events.MAX_EVENT_DENSITY
    try:
        for limit, path in ((1.0, EVENTS), (-1.0, PRODUCT)):
            events.MAX_EVENT_DENSITY = limit
            assert check_forward(layer, "cpu") == path
    finally:
        events.MAX_EVENT_DENSITY = density


@given(layers(graded=False, max_steps=15), st.integers(1, 5))
@settings(max_examples=40)
def test_inputs_may_be_spike_counts(layer, most):
    """The matrix product reads them, like any numbers that are not binary."""
    layer.spikes *= np.random.default_rng(0).integers(1, most + 1, layer.spikes.shape)
    if (layer.spikes > 1).any():
        assert check_forward(layer, "cpu") == PRODUCT


def test_the_path_depends_on_the_input():
    assert check_forward(plain_layer(0, density=0.05), "cpu") == EVENTS
    assert check_forward(plain_layer(0, density=0.5), "cpu") == PRODUCT
    graded = plain_layer(0, density=0.05)
    graded.spikes *= 1.25
    assert check_forward(graded, "cpu") == PRODUCT


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("density", [0.05, 1.0])
def test_a_voltage_at_the_threshold_does_not_spike(engine, density):
    """One input, its weight on the threshold for one neuron and beside it for the others."""
    inputs = round(1 / density)
    spikes = np.zeros((3, 1, inputs), np.float32)
    spikes[:, :, 0] = 1
    below, at, above = (np.float32(w / 64) for w in (30, 32, 34))
    weight = np.zeros((3, inputs), np.float32)
    weight[:, 0] = below, at, above
    layer = Layer(
        spikes,
        weight,
        current_decay=np.array(1, np.float32),
        voltage_decay=np.array(1, np.float32),
        bias=np.zeros(0, np.float32),
        threshold=0.5,
        delay=False,
    )
    check_forward(layer, engine)
    out, voltage, *_ = layer.forward(engine)
    assert voltage[:, 0].tolist() == [[30 * 64, 2048, 34 * 64]] * 3
    assert out[:, 0].tolist() == [[0, 0, 1]] * 3


@pytest.mark.parametrize("engine", ENGINES)
def test_the_threshold_is_truncated_not_rounded(engine):
    """0.12 is 7.68 weight units: the device compares with 7."""
    z = torch.tensor([7 / 64, 7 / 64 + 1 / 4096, 0.12]).reshape(1, 1, 3)
    with use_engine(engine):
        out, voltage, _ = operators.cuba(z, ONE, ONE, EMPTY, EMPTY, [0.12, 1.0, 1.0, 0.0])
    assert voltage[0, 0].tolist() == [448, 449, 491]
    assert out[0, 0].tolist() == [0, 1, 1]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_delay_moves_spikes_by_one_step(engine):
    z = torch.zeros(4, 1, 1)
    z[1] = z[3] = 2.0
    for delay, expected in ((0.0, [0, 1, 0, 1]), (1.0, [0, 0, 1, 0])):
        with use_engine(engine):
            out, _, notes = operators.cuba(z, ONE, ONE, EMPTY, EMPTY, [1.0, 1.0, 1.0, delay])
        assert out.flatten().tolist() == expected
        assert notes[3] == sum(expected)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("density", [0.08, 1.0])
def test_silence_and_spikes_everywhere(engine, density):
    silent = plain_layer(1, density=0.0)
    check_forward(silent, engine)
    assert silent.forward(engine)[0].sum() == 0
    loud = plain_layer(1, density=density, threshold=1 / 64, delay=False)
    loud.spikes[:, :, 0] = 1
    loud.weight[:] = 4.0
    check_forward(loud, engine)
    assert (loud.forward(engine)[0] == 1).all()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("sign", [-1, 1])
def test_states_saturate(engine, sign):
    """Graded spikes of 1,000 through the largest weights saturate u at once, then v."""
    layer = plain_layer(2, density=1.0, inputs=40, threshold=32768.0)
    layer.spikes *= 1000
    layer.weight[:] = sign * 100
    layer.current_decay = layer.voltage_decay = np.array(0, np.float32)
    layer.bias = np.full(37, sign * 1e6, np.float32)
    assert check_forward(layer, engine) == PRODUCT
    assert layer.exact().u[0, 0, 0] == sign * 2**29
    assert layer.forward(engine)[1].numpy()[-1, 0, 0] == sign * 2**29


@pytest.mark.parametrize("sign", [-1, 1])
def test_more_events_than_a_state_can_hold(sign):
    """200,000 events in one step would wrap 32 bits on the way to the state."""
    spikes = np.zeros((11, 1, 200_000), np.float32)
    spikes[3] = 1
    layer = plain_layer(3, spikes=spikes, weight=np.full((2, 200_000), sign * 4.0, np.float32))
    layer.threshold = 32768.0
    assert check_forward(layer, "cpu") == EVENTS
    assert layer.forward("cpu")[1][3, 0, 0] == sign * 2**29


ONE = torch.tensor(1.0)
EMPTY = torch.empty(0)

floats = st.floats(width=32, allow_nan=True, allow_infinity=True, allow_subnormal=True)


@given(
    st.lists(st.lists(floats, min_size=5, max_size=5), min_size=1, max_size=20),
    st.floats(0, 1, width=32),
    st.booleans(),
)
@example([[131072.0, 131071.99, -131072.0, np.nan, np.inf]] * 3, 0.0, True)
@example([[1e-45, -1e-45, 1 / 4096, -1.9999 / 4096, 3e38]] * 3, 0.25, False)
@settings(max_examples=60)
def test_any_float_as_an_input(rows, decay, delay):
    z = np.array(rows, np.float32)[:, None]
    exact = cuba_oracle.run(cuba_oracle.states_of(z), decay, 0.5, 1.0, delay=delay)
    tensor = torch.tensor(decay)
    for engine in ENGINES:
        with use_engine(engine):
            out, voltage, _ = operators.cuba(
                torch.from_numpy(z),
                tensor,
                torch.tensor(0.5),
                EMPTY,
                EMPTY,
                [1.0, 1.0, 1.0, float(delay)],
            )
            current = operators.leaky(torch.from_numpy(z), tensor)
        np.testing.assert_array_equal(voltage.numpy(), exact.v)
        np.testing.assert_array_equal(out.numpy(), exact.out)
        np.testing.assert_array_equal(current.numpy(), (exact.u / 4096).astype(np.float32))


_decay_all = decay_of_all(decay_state)


@numba.njit
def _to_states(values):
    result = np.empty(values.size, np.int32)
    for at in range(0, values.size, LANES):
        n = min(LANES, values.size - at)
        store(result, at, to_state(load(values, at, n)), n)
    return result


CORNERS = sorted(
    {
        value
        for bit in range(32)
        for sign in (-1, 1)
        for offset in (-2, -1, 0, 1, 2)
        if -(2**31) <= (value := sign * (1 << bit) + offset) < 2**31
    }
)


@pytest.mark.parametrize("keep", [0, 1, 2, 3, 1365, 2047, 2048, 2049, 4094, 4095, 4096])
def test_decay_is_exact_in_every_corner_of_32_bits(keep):
    """Python's // rounds down, so the expected value of a negative state is computed from −s."""
    expected = [-(-s * keep // 4096) if s < 0 else s * keep // 4096 for s in CORNERS]
    states = np.array(CORNERS, np.int32)
    assert _decay_all(states, np.int32(keep)).tolist() == expected
    reference = reference_engine.decay_state(torch.from_numpy(states).long(), torch.tensor(keep))
    assert reference.tolist() == expected


@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=50), st.integers(0, 4096))
def test_decay_is_exact(states, keep):
    expected = [-(-s * keep // 4096) if s < 0 else s * keep // 4096 for s in states]
    assert _decay_all(np.array(states, np.int32), np.int32(keep)).tolist() == expected


@given(floats)
def test_floats_are_truncated_to_states(value):
    expected = int(cuba_oracle.states_of(np.array([value], np.float32))[0])
    assert _to_states(np.array([value], np.float32)) == expected
    assert reference_engine.to_state(torch.tensor([value])).item() == expected


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


def test_strided_tensors():
    layer = plain_layer(5)
    tensors = layer.tensors()
    wide = torch.zeros(30, 2, 40)
    wide[:, :, ::2] = tensors["spikes"]
    tensors["spikes"] = wide[:, :, ::2]
    tensors["weight"] = tensors["weight"].T.contiguous().T
    assert not tensors["spikes"].is_contiguous()
    assert not tensors["weight"].is_contiguous()
    for engine in ENGINES:
        out, voltage, *_ = layer.forward(engine, tensors)
        np.testing.assert_array_equal(voltage.numpy(), layer.exact().v)
        np.testing.assert_array_equal(out.numpy(), layer.exact().out)
