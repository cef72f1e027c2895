"""A last layer whose current is whole, and its van Rossum distance, there and back, for Numba.

As ``last_layer``, for a current that norm, dropout or weights off the grid need as a tensor, or
that takes less memory so. It is the only tensor: its memory takes the voltages, and then the
gradient.
"""

from __future__ import annotations

import numba
import numpy as np

from netdesc.kernels.cpu import train_distance
from netdesc.kernels.cpu.backward import DRIVE, decay_gradients, share, step_back
from netdesc.kernels.cpu.forward import as_it_arrives
from netdesc.kernels.cpu.inner import inner
from netdesc.kernels.cpu.lanes import LANES, load, spread, store
from netdesc.kernels.cpu.last_layer import in_words
from netdesc.kernels.cpu.places import row_of
from netdesc.kernels.cpu.there import SEEN, walk_there
from netdesc.kernels.cpu.train_distance import (
    PIECE,
    distance,
    gradient_of_spikes,
    ready,
    rooms_of,
    whole_vectors,
)
from netdesc.kernels.cpu.turns import next_turn, piece_of
from netdesc.kernels.cpu.van_rossum import is_cut

_there = walk_there(as_it_arrives, in_words, again=False)


@inner
def _back(
    z, voltage, at, by, lo, n, steps, keep_u, keep_v, bias, threshold, delay, height, width, learn,
    words, wanted, of_wanted, a, tail, length, scale, y, late, keeps_all, states, filtered, ahead,
    leaves, grad_decays,
):  # fmt: skip
    """From the difference to what is wanted to the gradients of what arrives and of the decays."""
    kv, offset = load(keep_v, lo, n), load(bias, lo, n)
    share_u, share_v = share(load(keep_u, lo, n)), share(kv)
    none, has_tail = spread(np.float32(0)), is_cut(tail) and length < steps
    g_u, g_v, after = none, none, none
    y[:] = 0
    late[:] = 0
    for last in range(steps, 0, -PIECE):
        first = max(0, last - PIECE)
        kept = ready(
            keeps_all, words, wanted, of_wanted, first, last, steps, a, tail, length, states,
            filtered,
        )  # fmt: skip
        for t in range(last - 1, first - 1, -1):
            of_out = gradient_of_spikes(
                keeps_all, filtered, kept, t, steps, a, has_tail, tail, length, scale, y,
                late, ahead,
            )  # fmt: skip
            g_s = after if delay else of_out
            after = of_out
            v_at = at + t * by
            v = load(voltage, v_at, n)
            if learn:
                decay_gradients(
                    v, voltage, v_at - by, t == 0, kv, offset, threshold, len(keep_u), lo, n, g_u,
                    g_v, grad_decays,
                )  # fmt: skip
            drive, g_u, g_v = step_back(
                g_s, v, share_u, share_v, threshold, height, width, g_u, g_v
            )
            left = drive if leaves == DRIVE else g_u
            store(z, v_at, left, n)


def room_for(steps: int, of_filter: tuple[float, int, int], keeps_all: bool) -> int:
    """Numbers of 32 bits that a thread needs, which ``keeps_all`` differences or not."""
    return whole_vectors(train_distance.room_for(steps, of_filter, keeps_all) + steps)


@numba.njit(parallel=True, cache=True, nogil=True)
def there_and_back(
    z,
    voltage,
    of_z,
    batch,
    keep_u,
    keep_v,
    bias,
    threshold,
    delay,
    height,
    width,
    learn,
    wanted,
    a,
    tail,
    length,
    scale,
    keeps_all,
    room_KN,
    squares,
    seen,
    leaves,
    grad_decays,
):
    """The loss of the last layer, and the gradient of what arrives, in the memory of ``z``.

    Or what drives it, if it ``leaves`` ``DRIVE`` (see ``backward``). Takes what
    ``forward_from_input``, ``filter_difference``, ``filter_adjoint`` and ``adjoint`` take;
    ``voltage`` is the memory of ``z`` as integers, whose places are ``of_z``, ``delay`` is 0 or 1,
    ``wanted`` are target spikes as words (see ``trains``). Fills ``squares`` [batch · neurons] and
    ``seen``, and adds to ``grad_decays`` [batch, 2 · neurons] where decays ``learn``. A thread has
    what one vector's distance needs (see ``train_distance``) and its spikes in its part of
    ``room_KN`` [threads, ``room_for``].
    """
    neurons, threads = len(keep_u), len(room_KN)
    by, vectors = of_z[1] * neurons, (neurons + LANES - 1) // LANES
    steps = len(z) // (batch * neurons)
    turns = np.zeros(1, np.int64)
    for thread in numba.prange(threads):
        states, filtered, ahead, room = rooms_of(room_KN[thread], steps, tail, length, keeps_all)
        words = room.view(np.int32)
        y, late = np.empty((2, len(tail) * LANES), tail.dtype)
        while True:
            turn = next_turn(turns)
            if turn >= batch * vectors:
                break
            item = piece_of(turn, batch * vectors, threads)
            b, lo = item // vectors, item % vectors * LANES
            n, at = min(LANES, neurons - lo), row_of(of_z, 0, b) * neurons + lo
            _there(
                (z, at, by, n), words, lo, n, steps, keep_u, keep_v, bias, threshold, delay,
                voltage, at, by, n, False, seen, item * SEEN,
            )  # fmt: skip
            distance(
                words, wanted, item * steps, a, tail, length, steps, y, late, keeps_all, states,
                filtered, squares, b * neurons + lo, n,
            )  # fmt: skip
            _back(
                z, voltage, at, by, lo, n, steps, keep_u, keep_v, bias, threshold, delay, height,
                width, learn, words, wanted, item * steps, a, tail, length, scale, y, late,
                keeps_all, states, filtered, ahead, leaves, grad_decays[b],
            )  # fmt: skip
