"""A hidden layer's way back, from the gradient of the current of the layer after it, for Numba.

A thread takes some columns of the product that carries the gradient back, and walks with the
neurons of these columns. So no thread waits for another, and the gradient of the layer's spikes is
a block in the thread's cache: as a whole it would be as large as the layer's activity.
"""

from __future__ import annotations

import numba
import numpy as np

from netdesc.kernels.cpu.backward import walk_back
from netdesc.kernels.cpu.lanes import LANES
from netdesc.kernels.cpu.places import row_of
from netdesc.kernels.cpu.product import TILE_ROWS, multiply_block
from netdesc.kernels.cpu.weight_sums import turn_over

VECTORS = 4
"""Vectors of neurons that a thread takes together, at most: the more, the less often the rows above
are read."""

_ROWS = 384
"""Rows of a block, at most: a block of so many rows and vectors is 200 kB. It is whole tiles."""

_FEW_ROWS = 16
_SHARE = 8
"""Of a small layer all threads' blocks together are an eighth, or else have few rows."""


def block_of(shape: tuple[int, int, int], threads: int) -> tuple[int, int, int]:
    """How many samples make a block of a layer [steps, batch, neurons], steps and neurons.

    With several samples it is all steps.
    """
    steps, batch, neurons = shape
    vectors = -(-neurons // LANES)
    columns = min(VECTORS, -(-vectors // threads)) * LANES
    share = steps * batch * neurons // (_SHARE * threads * columns)
    most = min(_ROWS, max(_FEW_ROWS, share))
    if steps <= most:
        return min(batch, most // steps), steps, columns
    tiles = -(-steps // TILE_ROWS)
    blocks = -(-steps // most)
    return 1, -(-tiles // blocks) * TILE_ROWS, columns


@numba.njit(parallel=True, cache=True, nogil=True)
def adjoint_from_above(
    above,
    above_shares,
    has_gaps,
    above_OI,
    on_grid,
    above_low,
    above_high,
    events,
    weight_OI,
    low,
    high,
    voltage,
    of_voltage,
    keep_u,
    keep_v,
    bias,
    threshold,
    delay,
    height,
    width,
    learn,
    samples,
    length,
    columns,
    leaves,
    grad_z,
    grad_decays,
    after_KN,
    by_source,
    room_KN,
    grad_VLI,
):
    """``adjoint_by_events`` of the gradient ``above @ above_OI``, these weights ``on_grid`` or not.

    ``above`` is [batch · steps, neurons above], the gradient of the current there or, given
    ``above_shares``, its drive (see ``carried``), which may have gaps (see ``gaps``).
    ``of_voltage`` are the places of voltages and of ``grad_z``, which may be one memory. A thread
    computes blocks of ``length`` steps of ``samples`` samples and ``columns`` neurons in its part
    of ``room_KN`` [threads, numbers of a block, or ``room_to_turn`` sums over if these are more];
    ``after_KN`` [threads, 5 · columns] holds adjoints between blocks. Events may be taken
    ``by_source``, a run being a block; a vector's part of it [length · LANES] is then at the end of
    ``room_KN``.
    """
    steps, batch, neurons = events.steps, events.batch, len(keep_u)
    vectors, threads = len(grad_VLI), len(room_KN)
    size = samples * length * columns
    to_start = np.int64(0), np.int64(0)  # of literals Numba would compile the product twice
    for thread in numba.prange(threads):
        after, flat = after_KN[thread], room_KN[thread]
        g_run = flat[len(flat) - by_source.length * LANES :]
        room = flat[:size].reshape(samples * length, columns)
        mine, end = thread * vectors // threads, (thread + 1) * vectors // threads
        for block in range(mine, end, VECTORS):
            until = min(end, block + VECTORS)
            lo, hi = block * LANES, min(neurons, until * LANES)
            grad_VLI[block:until] = 0
            for sample in range(0, batch, samples):
                last_sample = min(batch, sample + samples)
                after[:] = 0
                for last in range(steps, 0, -length):
                    first = max(0, last - length)
                    rows = sample * steps + first, (last_sample - 1) * steps + last
                    multiply_block(
                        above, above_OI, on_grid, above_low, above_high, rows, (lo, hi), False,
                        room, to_start, has_gaps,
                    )  # fmt: skip
                    for vector in range(block, until):
                        at = vector * LANES - lo
                        n = min(LANES, neurons - lo - at)
                        for b in range(sample, last_sample):
                            if b > sample:
                                after[:] = 0
                            of_block = (b - sample) * (last - first) - first
                            of_all = row_of(of_voltage, 0, b) * neurons + lo + at
                            by = of_voltage[1] * neurons
                            walk_back(
                                events, b, first, last, keep_u, keep_v, bias, threshold, delay,
                                height, width, lo + at, n,
                                flat, of_block * columns + at, columns, above_shares,
                                voltage, of_all, by, leaves, grad_z, of_all, by,
                                learn, grad_decays[b], after, at, columns, by_source,
                                (steps - last) // length, g_run, grad_VLI[vector],
                            )  # fmt: skip
            for vector in range(block, until):
                at = vector * LANES
                n = min(LANES, neurons - at)
                turn_over(grad_VLI[vector], flat, weight_OI, low, high, at, n)
