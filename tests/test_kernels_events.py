"""Event lists of the CPU engine, whose memory serves again and again."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_kernels_spike_words import sources_of

from netdesc.kernels.cpu import bit_rows, events
from netdesc.kernels.cpu.events import EventLists
from netdesc.kernels.cpu.trains import SpikeSum, SpikeTrains
from netdesc.kernels.event_lists import HEADER, are_listed, list_size, no_lists

# Both of the first two take the same memory, though their rows begin at other places in it.
SHAPES = st.sampled_from([(6, 6), (5, 8), (1, 1), (70, 33), (200, 16)])


@pytest.fixture(autouse=True, scope="module", params=[3, 1 << 14], ids=["many", "one"])
def runs(request: pytest.FixtureRequest):
    """Lists of these small inputs in runs of a few rows, and in one go."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(events, "_WORDS", request.param)
        patch.setattr(events, "_zeros", events.BufferPool(events._sparse_zeros))
        yield


def spikes(shape: tuple[int, int], density: float, seed: int) -> np.ndarray:
    return (np.random.default_rng(seed).random(shape) < density).astype(np.float32)


def assert_lists(lists: EventLists, values: np.ndarray) -> None:
    for row, (start, end) in enumerate(pairwise(lists.starts)):
        assert lists.sources[start:end].tolist() == sources_of(values[row]).tolist()


@given(st.lists(st.tuples(SHAPES, st.floats(0, 1)), min_size=2, max_size=6), st.integers(0, 99))
def test_lists_do_not_depend_on_those_before(inputs, seed):
    """The same input gives the same memory, whatever another one has left in it."""
    for shape, density in inputs:
        values = spikes(shape, density, seed)
        first = EventLists(values, 1.0)
        assert_lists(first, values)
        kept = first.packed.copy()
        address = first.packed.ctypes.data
        del first
        EventLists(spikes(shape, 1.0, 0), 1.0)  # fills the memory that was given back
        again = EventLists(values, 1.0)
        assert again.packed.ctypes.data == address, "the memory was not used again"
        np.testing.assert_array_equal(again.packed, kept)


@pytest.mark.parametrize("columns", [65_535, 65_536, 65_537, 70_000])
def test_wide_inputs_have_their_last_columns_in_the_lists(columns: int) -> None:
    """Also where another pass unpacks them."""
    values = np.zeros((3, columns), np.float32)
    values[[0, 1, 1, 2], [columns - 1, 0, 5, columns - 1]] = 1
    lists = EventLists(values, 1.0)
    assert_lists(lists, values)
    assert_lists(EventLists.unpack(lists.packed, 3), values)
    trains = SpikeTrains.of(values.reshape(3, 1, columns))
    assert trains is not None
    events = SpikeSum.of([trains]).events(4)
    np.testing.assert_array_equal(events.starts, lists.starts)
    np.testing.assert_array_equal(events.sources[:4], lists.sources[:4])
    assert events.sources.dtype == lists.sources.dtype


def test_lists_are_marked_once_they_are_handed_over():
    lists = EventLists(spikes((6, 6), 0.5, 0), 1.0)
    assert not are_listed(lists.without())
    assert are_listed(lists.hand_over())
    assert len(lists.packed) == list_size(torch.device("cpu"), 6, 6)
    assert not are_listed(no_lists(torch.zeros(3, 2, 6)))


@given(
    shape=SHAPES,
    densities=st.lists(st.sampled_from([0.0, 0.1, 0.3, 0.6, 1.0]), min_size=1, max_size=4),
    densest=st.sampled_from([0.05, 0.33, 0.5]),
    most=st.sampled_from([1, 1, 2, 5]),
    odd=st.none() | st.tuples(st.integers(0, 10**6), st.sampled_from([0.5, 63, 64, -1, -0.0])),
    seed=st.integers(0, 99),
)
def test_lists_pay_up_to_a_density_of_the_whole(shape, densities, densest, most, odd, seed):
    """However unevenly the events lie, and wherever something is that is no count."""
    rows = np.array_split(np.arange(shape[0]), len(densities))
    values = np.zeros(shape, np.float32)
    for part, density in zip(rows, densities, strict=True):
        values[part] = spikes((len(part), shape[1]), density, seed)
    values *= np.random.default_rng(seed).integers(1, most + 1, shape).astype(np.float32)
    if odd is not None:
        values.flat[odd[0] % values.size] = odd[1]
    lists = EventLists(values, densest)
    are_counts = odd is None or odd[1] == 63
    assert lists.pays == (are_counts and values.sum() <= densest * values.size)
    if lists.pays:
        assert_lists(lists, values)


def test_what_is_given_up_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many events, one that is no spike, an interruption: also for those that come after."""
    values = spikes((200, 16), 0.3, 0)
    kept = EventLists(values, 1.0).packed.copy()
    uneven = np.concatenate([spikes((100, 16), 0.1, 1), spikes((100, 16), 0.9, 2)])
    monkeypatch.setattr(events, "_GLANCE", 1000)  # it looks at the first row alone
    lists = EventLists(uneven, 0.4)
    assert not lists.pays
    assert not lists.packed[HEADER:].any()
    del lists
    odd = values.copy()
    odd[150, 3] = 0.5
    lists = EventLists(odd, 1.0)
    assert not lists.pays
    assert not lists.packed[HEADER:].any()
    del lists
    calls, list_events = [], bit_rows.list_events

    def interrupted(*given: object) -> None:
        list_events(*given)
        calls.append(1)
        if len(calls) == min(7, -(-200 // events._WORDS)):
            raise KeyboardInterrupt

    monkeypatch.setattr(bit_rows, "list_events", interrupted)
    with pytest.raises(KeyboardInterrupt):
        EventLists(spikes((200, 16), 1.0, 3), 1.0)
    monkeypatch.undo()
    np.testing.assert_array_equal(EventLists(values, 1.0).packed, kept)


def test_an_input_that_looks_too_dense_is_not_listed_at_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bit_rows, "pack", lambda *_: pytest.fail("it was listed"))
    assert not EventLists(spikes((200, 16), 0.5, 0), 0.4).pays


@given(SHAPES, st.sampled_from([0.0, 0.1, 0.7, 1.0]), st.integers(1, 20), st.integers(0, 99))
def test_events_are_counted_in_some_rows_or_all(shape, density, every, seed):
    values = spikes(shape, density, seed)
    values *= np.float32(0.3)
    assert events.count(values, every) == np.count_nonzero(values[::every])


def test_lists_that_do_not_pay_take_no_more_memory_than_those_that_do():
    lists = EventLists(spikes((6400, 100), 1.0, 0), 0.25)
    assert not lists.pays
    assert np.count_nonzero(lists.sources) < 0.27 * 640_000
