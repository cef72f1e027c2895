"""Spikes as words: the same spikes and the same events as the floats that they stand for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netdesc.kernels.cpu import bit_rows
from netdesc.kernels.cpu.events import EventLists
from netdesc.kernels.cpu.trains import SpikeSum, SpikeTrains, rows_of_sum

SIZES = st.tuples(st.integers(1, 70), st.integers(1, 3), st.integers(1, 100))


def spikes(shape: tuple[int, int, int], density: float, seed: int) -> np.ndarray:
    return (np.random.default_rng(seed).random(shape) < density).astype(np.float32)


@given(SIZES, st.sampled_from([0.0, 0.02, 0.3, 1.0]), st.integers(0, 99))
def test_words_hold_the_spikes_and_give_the_events_of_floats(shape, density, seed):
    values = spikes(shape, density, seed)
    trains = SpikeTrains.of(values)
    assert trains is not None
    assert (trains.shape, trains.size) == (shape, values.size)
    np.testing.assert_array_equal(rows_of_sum([trains]).floats(), values.reshape(-1, shape[2]))
    assert_events(trains, values)


def assert_events(trains: SpikeTrains, values: np.ndarray) -> None:
    steps, batch, _ = values.shape
    rows, columns = np.nonzero(values.reshape(steps * batch, -1))
    events = SpikeSum.of([trains]).events(len(columns))
    assert (events.listed, events.steps, events.batch) == (True, steps, batch)
    counts = np.bincount(rows, minlength=steps * batch)
    np.testing.assert_array_equal(np.diff(events.starts, prepend=0)[1:], counts)
    assert events.starts[0] == 0
    np.testing.assert_array_equal(events.sources[: len(columns)], columns)


@given(SIZES, st.lists(st.floats(0, 1), min_size=2, max_size=4), st.integers(0, 99))
def test_memory_that_serves_again_holds_nothing_of_before(shape, densities, seed):
    for density in densities * 2:
        values = spikes(shape, density, seed)
        trains = SpikeTrains.of(values)
        assert trains is not None
        assert_events(trains, values)


def test_more_spikes_than_were_counted_are_noticed():
    trains = SpikeTrains.of(np.ones((40, 2, 33), np.float32))
    assert trains is not None
    with pytest.raises(AssertionError, match="more spikes"):
        SpikeSum.of([trains]).events(20)


@pytest.mark.parametrize("odd", [0.5, 2.0, -1.0, -0.0, float("nan"), float("inf"), 1e-45])
@pytest.mark.parametrize("place", [(0, 0, 0), (4, 1, 32), (6, 2, 40)])
def test_what_is_no_spike_has_no_words(odd, place):
    values = spikes((7, 3, 41), 0.3, 0)
    assert SpikeTrains.of(values) is not None
    values[place] = odd
    assert SpikeTrains.of(values) is None


@given(
    SIZES,
    st.integers(1, 9) | st.integers(60, 70),
    st.sampled_from([0.0, 0.1, 0.6, 1.0]),
    st.integers(0, 99),
)
def test_sums_are_counts_and_counts_are_taken_apart(shape, number, density, seed):
    values = [spikes(shape, density, seed + n) for n in range(number)]
    summed, total = SpikeSum.of([trains_of(each) for each in values]), sum(values)
    apart = SpikeSum.of_counts(total)
    assert apart is not None
    np.testing.assert_array_equal(summed.digits, apart.digits)
    assert len(summed.digits) == max(1, int(total.max()).bit_length())
    again = SpikeSum.of([summed, apart, trains_of(values[0])])
    for each, expected in (summed, total), (again, 2 * total + values[0]):
        assert each.shape == shape
        check_sum(each, expected)
        check_events(each, expected)


def check_sum(summed: SpikeSum, total: np.ndarray) -> None:
    steps, batch, neurons = total.shape
    np.testing.assert_array_equal(summed.rows.floats(), total.reshape(-1, neurons))
    np.testing.assert_array_equal(summed.rates_BN.numpy(), total.sum(0) / np.float32(steps))
    np.testing.assert_array_equal(summed.counts_BN, total.sum(0, dtype=np.float64))
    first = batch // 2
    part = summed.samples(first, batch).rows.floats()
    np.testing.assert_array_equal(part, total[:, first:].reshape(-1, neurons))
    for sample in range(batch):
        runs = [run.copy() for run in summed.runs_of_sample(sample)]
        np.testing.assert_array_equal(np.concatenate(runs), total[:, sample])


def check_events(summed: SpikeSum, total: np.ndarray) -> None:
    """As lists of words have them."""
    words = bit_rows.words_of(total)
    assert words is not None
    found, count = summed.events(int(total.sum())), int(total.sum())
    expected = EventLists.of_words(words, bit_rows.counts_of(words))
    assert expected.pays == (count <= total.size)
    if not expected.pays:
        return
    np.testing.assert_array_equal(found.starts, expected.starts)
    np.testing.assert_array_equal(found.sources[:count], expected.sources[:count])


def trains_of(values: np.ndarray) -> SpikeTrains:
    trains = SpikeTrains.of(values)
    assert trains is not None
    return trains


def test_sums_are_looked_at_some_steps_at_a_time(monkeypatch):
    monkeypatch.setattr("netdesc.kernels.spike_words._RUN", 400)
    values = [spikes((70, 3, 41), 0.3, n) for n in range(3)]
    summed = SpikeSum.of([trains_of(each) for each in values])
    assert len([*summed.runs_of_sample(0)]) == 35
    check_sum(summed, sum(values))


@pytest.mark.parametrize("odd", [0.5, 2.5, 65536.0, -1.0, -0.0, float("nan"), float("inf"), 1e-45])
@pytest.mark.parametrize("place", [(0, 0, 0), (4, 1, 32), (6, 2, 40)])
def test_what_is_no_count_is_not_taken_apart(odd, place):
    counts = spikes((7, 3, 41), 0.3, 0) + spikes((7, 3, 41), 0.3, 1)
    assert SpikeSum.of_counts(counts) is not None
    counts[place] = odd
    assert SpikeSum.of_counts(counts) is None
