"""Event lists of the CPU engine, whose memory serves again and again."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from netdesc.kernels.cpu.events import EventLists
from netdesc.kernels.event_lists import are_listed, list_size, no_lists

# Both of the first two take the same memory, though their rows begin at other places in it.
SHAPES = st.sampled_from([(6, 6), (5, 8), (1, 1), (70, 33), (200, 16)])


def spikes(shape: tuple[int, int], density: float, seed: int) -> np.ndarray:
    return (np.random.default_rng(seed).random(shape) < density).astype(np.float32)


def assert_lists(lists: EventLists, values: np.ndarray) -> None:
    for row, (start, end) in enumerate(zip(lists.starts, lists.ends, strict=True)):
        assert lists.sources[start:end].tolist() == np.flatnonzero(values[row]).tolist()


@given(st.lists(st.tuples(SHAPES, st.floats(0, 1)), min_size=2, max_size=6), st.integers(0, 99))
def test_lists_do_not_depend_on_those_before(inputs, seed):
    """The same input gives the same memory, whatever another one has left in it."""
    for shape, density in inputs:
        values = spikes(shape, density, seed)
        first = EventLists(values)
        assert_lists(first, values)
        assert first.count == np.count_nonzero(values)
        kept = first.packed.copy()
        address = first.packed.ctypes.data
        del first
        EventLists(spikes(shape, 1.0, 0))  # fills the memory that was given back
        again = EventLists(values)
        assert again.packed.ctypes.data == address, "the memory was not used again"
        np.testing.assert_array_equal(again.packed, kept)


def test_lists_are_marked_once_they_are_handed_over():
    lists = EventLists(spikes((6, 6), 0.5, 0))
    assert not are_listed(lists.without())
    assert are_listed(lists.hand_over())
    assert len(lists.packed) == list_size(torch.device("cpu"), 6, 6)
    assert not are_listed(no_lists(torch.zeros(3, 2, 6)))
