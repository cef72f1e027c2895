"""Sums by weights, while they are added up, and how they become the gradient, for Numba.

Where events come, a vector's gradient is added to the sums of each event's source: these lie input
by input, an input's to all neurons of the vector contiguous. They are where the gradient comes in
the end, output by output, so they are turned over there: memory of their own would be more than
the activity of a small batch.
"""

from __future__ import annotations

import numba
import numpy as np

from netdesc.kernels.cpu.lanes import LANES, load, store
from netdesc.kernels.cpu.weights import is_inside

_NUMBER = 4
"""Bytes."""


def room_to_turn(inputs: int) -> int:
    """Numbers of 32 bits that a thread needs to ``turn_over`` a vector's sums."""
    return inputs % LANES * LANES + -(-inputs // _NUMBER)


def room_for_weights(inputs: int, batch: int, is_integer: bool) -> int:
    """The same, and before that for the vector's weights, which every sample needs again.

    Of a single sample they are where the sums are later.
    """
    numbers = 0 if batch == 1 else inputs * LANES // (2 if is_integer else 1)
    return max(numbers, room_to_turn(inputs))


@numba.njit(inline="always")
def _turn_squares(sums, count):
    """Each LANES numbers of LANES inputs, of which there are ``count`` times as many."""
    for first in range(0, count * LANES * LANES, LANES * LANES):
        for i in range(1, LANES):
            for j in range(i):
                here, there = np.uint64(first + i * LANES + j), np.uint64(first + j * LANES + i)
                sums[here], sums[there] = sums[there], sums[here]


@numba.njit(inline="always")
def _sort_by_output(sums, count, are_there):
    """Bring the rows of all squares to their outputs: each row to its place, and what was there on.

    Row i of square k belongs to output i, as its part k.
    """
    are_there[:] = 0
    for first in range(count * LANES):
        if are_there[first]:
            continue
        at, row = first, load(sums, first * LANES, LANES)
        while not are_there[at]:
            are_there[at] = 1
            at = at % LANES * count + at // LANES
            waiting = load(sums, at * LANES, LANES)
            store(sums, at * LANES, row, LANES)
            row = waiting


@numba.njit(inline="always")
def _move_apart(sums, inputs, count, others):
    """Make room for the inputs beyond the squares behind the others of each output."""
    whole = count * LANES
    for i in range(LANES - 1, -1, -1):
        for j in range(whole - LANES, -1, -LANES):
            store(sums, i * inputs + j, load(sums, i * whole + j, LANES), LANES)
        for j in range(whole, inputs):
            sums[i * inputs + j] = others[(j - whole) * LANES + i]


@numba.njit
def turn_over(sums, room, weight_OI, low, high, lo, n):
    """From sums [inputs · LANES] to the gradient [LANES · inputs] of the outputs from ``lo`` on.

    There are ``n``. Weights whose half integer leaves ``low`` to ``high`` are clamped going
    forward, so they get no gradient. ``room`` is as large as ``room_to_turn`` says, or larger.
    """
    inputs = weight_OI.shape[1]
    count, beyond = inputs // LANES, inputs % LANES * LANES
    others, are_there = room[:beyond], room[beyond:].view(np.uint8)[: count * LANES]
    for at in range(0, beyond, LANES):
        store(others, at, load(sums, count * LANES * LANES + at, LANES), LANES)
    _turn_squares(sums, count)
    _sort_by_output(sums, count, are_there)
    if beyond:
        _move_apart(sums, inputs, count, others)
    for i in range(n):
        grad_I = sums[i * inputs : (i + 1) * inputs]
        for j in range(inputs):
            inside = is_inside(weight_OI[lo + i, j], low, high)
            grad_I[j] = grad_I[j] if inside else np.float32(0)
