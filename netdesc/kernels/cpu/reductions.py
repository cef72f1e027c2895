"""Sums over all numbers of a tensor in 64 bits, in an order that is the same on every machine."""

from __future__ import annotations

import numba
import numpy as np

from netdesc.kernels.cpu.lanes import LANES, cast_like, load, spread, store


@numba.njit(cache=True, nogil=True)
def squares_and_total(of_squares, of_total):
    """The sum of the squares of one float32 array and the sum of another, both flat.

    One thread computes them: the weights of a layer are read far faster than they are trained.
    """
    squares, total = spread(np.float64(0)), spread(np.float64(0))
    for at in range(0, len(of_squares), LANES):
        number = cast_like(load(of_squares, at, min(LANES, len(of_squares) - at)), squares)
        squares = squares + number * number
    for at in range(0, len(of_total), LANES):
        total = total + cast_like(load(of_total, at, min(LANES, len(of_total) - at)), total)
    lanes = np.empty((2, LANES))
    store(lanes.reshape(-1), 0, squares, LANES)
    store(lanes.reshape(-1), LANES, total, LANES)
    return lanes[0].sum(), lanes[1].sum()
