"""Synapses whose current is whole, [steps, batch, neurons], before anything else happens to it.

What arrives, and the gradient of the weights from that of what arrives: by the events of what the
synapses read or, where these do not pay, by the matrix product. Weights may be off the grid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numba
import numpy as np
import torch

from netdesc.kernels.cpu import product
from netdesc.kernels.cpu.arrays import array_of, as_rows
from netdesc.kernels.cpu.arrivals import Events, arriving, gather
from netdesc.kernels.cpu.backward import carry
from netdesc.kernels.cpu.buffers import scratch, take
from netdesc.kernels.cpu.by_source import add_up_run, add_up_step, by_source
from netdesc.kernels.cpu.constants import Shares
from netdesc.kernels.cpu.lanes import LANES, load, spread, store
from netdesc.kernels.cpu.places import Places, row_of, time_first
from netdesc.kernels.cpu.sources import Dense, Source, part_of
from netdesc.kernels.cpu.steps import from_state
from netdesc.kernels.cpu.threads import crew_of
from netdesc.kernels.cpu.weight_sums import room_to_turn, turn_over
from netdesc.kernels.cpu.weights import (
    limits_of,
    room_by_vectors,
    stop_at_clamped,
    together_of,
    vectors_of,
)


def current(
    source: Source,
    shape: tuple[int, int, int],
    weight_OI: torch.Tensor,
    bits: int | None,
    places: Places | None = None,
) -> np.ndarray:
    """What arrives, of ``shape`` (steps, samples and neurons); by events in any ``places``."""
    steps, batch, size = shape
    return currents(source, steps, batch, weight_OI, bits, places)(0, size)


def currents(
    source: Source,
    steps: int,
    batch: int,
    weight_OI: torch.Tensor,
    bits: int | None,
    places: Places | None = None,
) -> Callable[[int, int], np.ndarray]:
    """The same of the neurons from one to before another; by events from a whole vector on."""
    places = places or time_first(batch)
    if not isinstance(source, Events):
        assert places == time_first(batch), "the product is time-first"

        def by_product(first: int, last: int) -> np.ndarray:
            z = take((steps, batch, last - first), np.float32)
            product.matmul(source, array_of(weight_OI)[first:last].T, as_rows(z), bits=bits)
            return z

        return by_product
    (integer_VIN, real_VIN), (low, _) = vectors_of(weight_OI, bits), limits_of(bits)

    def by_events(first: int, last: int) -> np.ndarray:
        assert first % LANES == 0, "weights are kept by vectors"
        z, part = take((steps, batch, last - first), np.float32), slice(first // LANES, None)
        _gather_all(
            source, integer_VIN[part], real_VIN[part], low, last - first, z.reshape(-1), places
        )
        return z

    return by_events


def weight_gradient(
    grad_TBN: np.ndarray,
    source: Source,
    weight_OI: torch.Tensor,
    bits: int | None,
    places: Places | None = None,
    length: int | None = None,
    shares: Shares | None = None,
) -> torch.Tensor:
    """That of the weights, from the gradient of what arrives and from what the synapses read.

    By events it is added up sample by sample, backward in time, and ``places`` are as in
    ``current``; given ``shares``, ``grad_TBN`` is but the drive (see ``carried``). By the product
    it is added up run by run of ``length`` steps (all of them without one).
    """
    steps, batch, outputs = grad_TBN.shape
    places = places or time_first(batch)
    if not isinstance(source, Events):
        assert places == time_first(batch), "the product is time-first"
        runs = runs_of(grad_TBN, length or steps)
        return torch.from_numpy(gradient_of_runs(runs, batch, source, array_of(weight_OI), bits))
    inputs = weight_OI.shape[1]
    room = room_by_vectors(outputs, inputs)
    ordered = by_source(source, inputs, outputs)
    _add_up_all(
        source,
        array_of(weight_OI),
        *limits_of(bits),
        grad_TBN.reshape(-1),
        places,
        shares,
        ordered,
        scratch((crew_of(outputs), max(room_to_turn(inputs), ordered.length * LANES)), np.float32),
        room.reshape(-1, LANES * inputs),
    )
    return torch.from_numpy(room[:outputs])


Runs = Iterable[tuple[int, np.ndarray]]
"""Runs of steps, the last ones first: the first step of each, and a gradient
[steps, batch, outputs]."""


def runs_of(whole: np.ndarray, length: int) -> Runs:
    for last in range(len(whole), 0, -length):
        first = max(0, last - length)
        yield first, whole[first:last]


def gradient_of_runs(
    runs: Runs, batch: int, source: Dense, weight_OI: np.ndarray, bits: int | None
) -> np.ndarray:
    """By the product, each run's as soon as it is there, from the first row to the last."""
    outputs, inputs = weight_OI.shape
    grad_OI = room_by_vectors(outputs, inputs)[:outputs]
    onto = False
    for first, grad_z in runs:
        grad_rows, start = as_rows(grad_z), first * batch
        rows = part_of(source, start, start + len(grad_rows))
        product.matmul(grad_rows.T, rows, grad_OI, onto=onto)
        onto = True
    if bits is not None:
        stop_at_clamped(grad_OI, weight_OI, bits)
    return grad_OI


@numba.njit(parallel=True, cache=True, nogil=True)
def _gather_all(events, integer_VIN, real_VIN, low, neurons, z, of_z):
    """Fills ``z``, flat and with places ``of_z``, with the sums of weights that events bring.

    Weights are those of which there are any.
    """
    vectors, together = (neurons + LANES - 1) // LANES, together_of(low)
    for item in numba.prange(events.batch * vectors):
        b, vector = item // vectors, item % vectors
        lo = vector * LANES
        n = min(LANES, neurons - lo)
        for t in range(events.steps):
            at = row_of(of_z, t, b) * neurons + lo
            if len(integer_VIN):
                arrived = arriving(events, t, b, integer_VIN[vector], n, together)
                store(z, at, from_state(arrived), n)
            else:
                store(z, at, gather(events, t, b, real_VIN[vector], n), n)


@numba.njit(parallel=True, cache=True, nogil=True)
def _add_up_all(events, weight_OI, low, high, grad_z, of_z, shares, ordered, room_KN, grad_VLI):
    """Fills ``grad_VLI`` from ``grad_z`` (see ``adjoint_by_events``), whose places are ``of_z``.

    Given ``shares``, ``grad_z`` holds the drive. Events may be ``ordered`` by their source.
    ``room_KN`` is as there, too.
    """
    neurons, vectors, threads = len(weight_OI), len(grad_VLI), len(room_KN)
    steps, run = events.steps, ordered.length or events.steps
    share_u = share_v = spread(np.float32(0))
    if shares is not None:
        share_u, share_v = spread(shares[0]), spread(shares[1])
    for thread in numba.prange(threads):
        room = room_KN[thread]
        for item in range(thread * vectors // threads, (thread + 1) * vectors // threads):
            lo = item * LANES
            n = min(LANES, neurons - lo)
            sums = grad_VLI[item]
            sums[:] = 0
            for b in range(events.batch):
                g_u = g_v = spread(np.float32(0))
                for until in range(steps, 0, -run):
                    first = max(0, until - run)
                    for t in range(until - 1, first - 1, -1):
                        g = load(grad_z, row_of(of_z, t, b) * neurons + lo, n)
                        if shares is not None:
                            g_u, g_v = carry(g, share_u, share_v, g_u, g_v)
                            g = g_u
                        add_up_step(ordered, events, t, first, b, g, room, sums)
                    if ordered.length:
                        add_up_run(ordered, b, (steps - until) // run, room, sums)
            turn_over(sums, room, weight_OI, low, high, lo, n)
