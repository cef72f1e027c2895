"""Forward loops whose states leave the range in which a decay takes fewer instructions."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.cuba_cases import MAX_PARAMETER, Layer, plain_layer
from support.forward_checks import check_forward, decay_of_all

from netdesc.kernels.cpu.runtime.simd import LANES
from netdesc.kernels.cpu.runtime.state_arithmetic import MAX_NEAR_STATE, decay_near, decay_state
from netdesc.kernels.layer_neurons import EVENTS

RUN_STEPS = 64
"""Steps between two checks of a forward loop."""

_decay_near_all, _decay_all = decay_of_all(decay_near), decay_of_all(decay_state)

EDGES = [
    sign * (size - less)
    for sign in (-1, 1)
    for size in (0, 1, 4096, MAX_NEAR_STATE)
    for less in (0, 1)
]


@given(st.integers(1 - 2**31, 2**31 - 1), st.integers(-4096, 4096))
@example(-(2**31), -4096 + 1)
@example(-1, 0)
@example(0, -4096)
def test_any_state_times_any_share_is_exact(state, share):
    expected = abs(state * share) // 4096 * (-1 if state * share < 0 else 1)
    assert _decay_all(np.array([state], np.int32), np.int32(share)).tolist() == [expected]


@given(
    st.lists(st.integers(-MAX_NEAR_STATE, MAX_NEAR_STATE), max_size=50), st.integers(-4096, 4096)
)
@example([], 4095)
@example([], 4096)
@example([], 1)
def test_small_states_decay_exactly(states, keep):
    """Python's // rounds down, so the expected value is computed from the magnitude."""
    states = [*states, *(state for state in EDGES if abs(state) <= MAX_NEAR_STATE)]
    expected = [abs(s * keep) // 4096 * (-1 if s * keep < 0 else 1) for s in states]
    assert _decay_near_all(np.array(states, np.int32), np.int32(keep)).tolist() == expected


def test_larger_states_need_the_general_decay() -> None:
    states = np.array([MAX_NEAR_STATE + 1], np.int32)
    assert _decay_near_all(states, np.int32(4096)).tolist() != states.tolist()


def biased(states: list[int], steps: int, decay: float, **more: object) -> Layer:
    """Neurons whose current decays fully in each step, with ``states`` as their bias."""
    bias = np.array(states, np.float32) / 4096
    return plain_layer(
        6,
        steps=steps,
        neurons=len(states),
        bias=bias,
        current_decay=np.array(1, np.float32),
        voltage_decay=np.array(decay, np.float32),
        threshold=MAX_PARAMETER,
        **more,
    )


@pytest.mark.parametrize("decay", [1.0, 0.0])
@pytest.mark.parametrize("steps", [1, RUN_STEPS - 1, RUN_STEPS, RUN_STEPS + 1, 3 * RUN_STEPS])
def test_states_at_the_edge_and_beyond(steps: int, decay: float) -> None:
    """With decay 1 the voltages stay constant, with decay 0 they grow in every step."""
    edges = [sign * (MAX_NEAR_STATE + beyond) for sign in (-1, 1) for beyond in (-1, 0, 1)]
    drift = MAX_NEAR_STATE / RUN_STEPS
    slow = [sign * round(drift + beyond) for sign in (-1, 1) for beyond in (-1, 0, 1)]
    for states in ([each] for each in (*edges, *slow)):
        layer = biased(states, steps, decay, density=0.0)
        assert check_forward(layer, "cpu") == EVENTS


@st.composite
def layers_with_large_voltages(draw: st.DrawFn) -> Layer:
    """Layers whose voltages become large, and small again by a spike or by their decay."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    steps, neurons = draw(st.integers(1, 4 * RUN_STEPS)), draw(st.integers(1, 2 * LANES + 3))
    bursts = np.repeat(rng.random(-(-steps // RUN_STEPS)) < 0.5, RUN_STEPS)[:steps]
    spikes = (rng.random((steps, draw(st.integers(1, 2)), 30)) < 0.1) & bursts[:, None, None]
    sign = draw(st.sampled_from([np.ones(30), rng.choice([-1, 1], 30)]))
    decays = [rng.choice([0.0, 0.01, 0.5, 1.0], neurons).astype(np.float32) for _ in range(2)]
    return plain_layer(
        0,
        spikes=spikes.astype(np.float32),
        weight=(sign * rng.uniform(0, 4, (neurons, 30))).astype(np.float32),
        current_decay=draw(st.sampled_from([decays[0], np.array(1, np.float32)])),
        voltage_decay=decays[1],
        bias=draw(st.sampled_from([np.zeros(0), rng.normal(0, 20, neurons)])).astype(np.float32),
        threshold=draw(st.sampled_from([1.0, 100.0, MAX_PARAMETER])),
        delay=draw(st.booleans()),
    )


@given(layers_with_large_voltages())
@settings(max_examples=150)
def test_voltages_that_become_large_and_small_again(layer: Layer) -> None:
    assert check_forward(layer, "cpu") == EVENTS


def test_a_voltage_is_large_in_one_run_of_steps_only() -> None:
    """It is large in the second of four runs; the neuron spikes in all of them."""
    spikes = np.zeros((4 * RUN_STEPS, 1, 30), np.float32)
    spikes[RUN_STEPS + 5 : RUN_STEPS + 9, 0, :8] = 1
    spikes[::7, 0, 29] = 1
    weight = np.full((1, 30), 1.0, np.float32)
    weight[0, :8] = -4
    layer = plain_layer(
        0, spikes=spikes, weight=weight, voltage_decay=np.array(0.3, np.float32), threshold=0.5,
        current_decay=np.array(0.3, np.float32),
    )  # fmt: skip
    exact = layer.exact()
    is_large = (np.abs(exact.v[:, 0, 0]) > MAX_NEAR_STATE).reshape(4, RUN_STEPS).any(axis=1)
    spiked = exact.out[:, 0, 0].reshape(4, RUN_STEPS).any(axis=1)
    assert is_large.tolist() == [False, True, False, False]
    assert spiked.tolist() == [True, True, True, True]
    assert check_forward(layer, "cpu") == EVENTS
