"""Sums over all numbers of a tensor, for Numba: in 64 bits.

They are added up in an order that is the same on every machine and for any number of threads.
"""

from __future__ import annotations

import numba
import numpy as np

from netdesc.kernels.cpu.lanes import LANES, cast_like, load, spread, store
from netdesc.kernels.cpu.tape import Call
from netdesc.kernels.cpu.threads import on_threads, threads

_PART = 1 << 13
"""Numbers that a thread takes at a time."""

_FEW = 1
"""Parts that are summed up sooner than other threads are told."""


@on_threads
def squares_and_total(of_squares: np.ndarray, of_total: np.ndarray) -> tuple[float, float]:
    """The sum of the squares of one float32 array and the sum of another, both flat."""
    threads()
    kernel, arguments = as_call(of_squares, of_total)
    return kernel(*arguments)


def as_call(of_squares: np.ndarray, of_total: np.ndarray) -> Call:
    """``squares_and_total`` as a kernel to be called."""
    parts = -(-max(len(of_squares), len(of_total)) // _PART)
    kernel = _sum_up if parts <= _FEW else _sum_up_in_parallel
    return kernel, (of_squares, of_total, parts)


@numba.njit(cache=True, nogil=True)
def total(values):
    """The sum of some 64-bit numbers, one after the other."""
    found = 0.0
    for value in values:
        found += value
    return found


@numba.njit(inline="always")
def _sum_up_part(of_squares, of_total, part, sums):
    squares, total = spread(np.float64(0)), spread(np.float64(0))
    first, last = part * _PART, (part + 1) * _PART
    for at in range(first, min(len(of_squares), last), LANES):
        number = cast_like(load(of_squares, at, min(LANES, len(of_squares) - at)), squares)
        squares = squares + number * number
    for at in range(first, min(len(of_total), last), LANES):
        total = total + cast_like(load(of_total, at, min(LANES, len(of_total) - at)), total)
    lanes = np.empty(2 * LANES)
    store(lanes, 0, squares, LANES)
    store(lanes, LANES, total, LANES)
    sums[part, 0] = lanes[:LANES].sum()
    sums[part, 1] = lanes[LANES:].sum()


@numba.njit(inline="always")
def _together(sums):
    squares = total = 0.0
    for part in range(len(sums)):
        squares += sums[part, 0]
        total += sums[part, 1]
    return squares, total


@numba.njit(cache=True, nogil=True)
def _sum_up(of_squares, of_total, parts):
    sums = np.empty((parts, 2))
    for part in range(parts):
        _sum_up_part(of_squares, of_total, part, sums)
    return _together(sums)


@numba.njit(parallel=True, cache=True, nogil=True)
def _sum_up_in_parallel(of_squares, of_total, parts):
    sums = np.empty((parts, 2))
    for part in numba.prange(parts):
        _sum_up_part(of_squares, of_total, part, sums)
    return _together(sums)
