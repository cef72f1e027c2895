"""Packed spikes, and their events by row and by input."""

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from netdesc.kernels.cpu import spikes as cpu_events
from netdesc.kernels.cpu.runtime.threads import on_threads
from netdesc.kernels.cpu.spikes import Events, bitmasks_of, pack, unpack
from netdesc.kernels.cpu.synapses import weight_gradient
from netdesc.kernels.cpu.synapses.weight_gradient import order_by_input
from netdesc.kernels.packing import holds_spikes, packed_size

STEPS, BATCH = st.integers(1, 70), st.integers(1, 3)
NEURONS = st.one_of(st.integers(1, 70), st.sampled_from([32, 64, 200, 65_537]))
DENSITY = st.sampled_from([0.0, 0.05, 0.5, 1.0])


def spikes(steps: int, batch: int, neurons: int, density: float, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (random.random((steps, batch, neurons), np.float32) < density).astype(np.float32)


@on_threads
def events_of(values_TBN: np.ndarray) -> Events:
    packed, events = pack(values_TBN, 1.0)
    again = cpu_events.events_of(packed, values_TBN.shape)
    assert events.starts[-1] == values_TBN.sum()
    assert (events.starts == again.starts).all()
    assert (events.sources[: events.starts[-1]] == again.sources[: again.starts[-1]]).all()
    return events


@given(STEPS, BATCH, NEURONS, DENSITY)
@example(1, 1, 1, 1.0)
def test_spikes_are_unpacked_as_they_were_packed(steps, batch, neurons, density):
    values = spikes(steps, batch, neurons, density)
    packed, _ = on_threads(pack)(values, -1.0)
    assert len(packed) == packed_size(values.shape)
    assert not holds_spikes(torch.from_numpy(packed)), "they are not marked as events"
    np.testing.assert_array_equal(on_threads(unpack)(bitmasks_of(packed), values.shape), values)


@pytest.mark.parametrize("odd", [2.0, 0.5, -1.0, -0.0, np.nan, np.inf, 1e-42])
def test_other_numbers_are_not_binary(odd):
    values = spikes(40, 2, 33, 0.3)
    values[39, 1, 32] = odd
    assert on_threads(pack)(values, 1.0)[1] is None


@given(STEPS, BATCH, NEURONS, DENSITY)
@example(1, 1, 1, 1.0)
def test_events_are_where_the_spikes_are(steps, batch, neurons, density):
    values = spikes(steps, batch, neurons, density)
    events = events_of(values)
    rows = values.reshape(steps * batch, neurons)
    row, source = rows.nonzero()
    np.testing.assert_array_equal(np.diff(events.starts), rows.sum(1))
    np.testing.assert_array_equal(events.sources[: len(source)], source)
    assert events.starts[0] == 0
    assert len(row) == events.starts[-1]


@given(
    st.integers(1, 70), BATCH, st.sampled_from([1, 7, 64, 65]), st.sampled_from([0.3, 1.0]),
    st.integers(1, 80),
)  # fmt: skip
@example(70, 2, 7, 1.0, 70)
@example(70, 2, 7, 1.0, 71)
def test_ordered_events_restore_the_spikes(steps, batch, inputs, density, length):
    values = spikes(steps, batch, inputs, density)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weight_gradient, "_MIN_EVENTS", 0)
        found = on_threads(order_by_input)(events_of(values), inputs, 1000, length)
    assert found.length == length
    restored, last = np.zeros_like(values), steps
    for run in range(found.runs):
        first = max(0, last - length)
        for sample in range(batch):
            for j in range(inputs):
                slot = (sample * found.runs + run) * inputs + j
                input_steps = found.steps[found.starts[slot] : found.starts[slot + 1]].astype(int)
                assert (np.diff(input_steps) < 0).all(), "the last ones come first"
                restored[first + input_steps, sample, j] += 1
        last = first
    np.testing.assert_array_equal(restored, values)


@pytest.mark.parametrize(
    ("neurons", "density", "pays"), [(161, 0.2, True), (160, 0.2, False), (161, 0.02, False)]
)
def test_events_are_ordered_only_if_that_pays(neurons, density, pays):
    """It pays with enough neurons, and enough events of each input in a run."""
    events = events_of(spikes(2_048, 1, 200, density))
    assert bool(on_threads(order_by_input)(events, 200, neurons, 256).length) == pays
