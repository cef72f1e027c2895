"""Threads take every item of a work queue exactly once."""

from __future__ import annotations

from itertools import pairwise

import numba
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from netdesc.kernels.cpu.runtime.threads import on_threads, set_thread_count
from netdesc.kernels.cpu.runtime.tiles import item_at, next_position


@numba.njit(parallel=True)
def process_items(counts: np.ndarray, counts_by_thread: np.ndarray) -> np.ndarray:
    queue = np.zeros(1, np.int64)
    items, threads = len(counts), len(counts_by_thread)
    for thread in numba.prange(threads):
        while True:
            position = next_position(queue)
            if position >= items:
                break
            counts[item_at(position, items, threads)] += 1
            counts_by_thread[thread] += 1
    return queue


@settings(deadline=None)
@given(st.integers(0, 3000), st.integers(1, 4))
def test_every_item_is_taken_once(items: int, threads: int) -> None:
    counts, counts_by_thread = np.zeros(items, np.int64), np.zeros(threads, np.int64)

    @on_threads
    def run() -> np.ndarray:
        set_thread_count()
        return process_items(counts, counts_by_thread)

    queue = run()
    assert counts.tolist() == [1] * items
    assert counts_by_thread.sum() == items
    assert queue[0] == items + threads, "each thread has asked once more"


@given(st.integers(1, 200), st.integers(2, 9))
def test_items_at_neighbouring_positions_are_far_apart(items: int, threads: int) -> None:
    order = [item_at.py_func(position, items, threads) for position in range(items)]
    assert sorted(order) == list(range(items))
    runs = [order[position : position + threads] for position in range(items)]
    assert all(abs(a - b) >= items // threads - 1 for run in runs for a, b in pairwise(sorted(run)))
