"""Threads that take turns take every piece of work, and none of them twice."""

from __future__ import annotations

from itertools import pairwise

import numba
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from netdesc.kernels.cpu.runtime.threads import on_threads, set_thread_count
from netdesc.kernels.cpu.runtime.work_queue import next_turn, piece_of


@numba.njit(parallel=True)
def share_out(times: np.ndarray, by: np.ndarray) -> np.ndarray:
    turns = np.zeros(1, np.int64)
    for thread in numba.prange(len(by)):
        while True:
            turn = next_turn(turns)
            if turn >= len(times):
                break
            times[piece_of(turn, len(times), len(by))] += 1
            by[thread] += 1
    return turns


@settings(deadline=None)
@given(st.integers(0, 3000), st.integers(1, 4))
def test_every_piece_is_taken_once(pieces: int, parts: int) -> None:
    times, by = np.zeros(pieces, np.int64), np.zeros(parts, np.int64)

    @on_threads
    def run() -> np.ndarray:
        set_thread_count()
        return share_out(times, by)

    turns = run()
    assert times.tolist() == [1] * pieces
    assert by.sum() == pieces
    assert turns[0] == pieces + parts, "each part has asked once more"


@given(st.integers(1, 200), st.integers(2, 9))
def test_turns_that_follow_each_other_are_far_apart(pieces: int, threads: int) -> None:
    order = [piece_of.py_func(turn, pieces, threads) for turn in range(pieces)]
    assert sorted(order) == list(range(pieces))
    together = [order[turn : turn + threads] for turn in range(pieces)]
    assert all(
        abs(a - b) >= pieces // threads - 1 for row in together for a, b in pairwise(sorted(row))
    )
