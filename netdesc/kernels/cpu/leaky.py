"""The current of neurons that leak apart from their voltage, as under a mean norm, there and back.

Memory is time-first [steps, batch, neurons], and changed where it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numba
import numpy as np
import torch

from netdesc.kernels.cpu import backward, forward
from netdesc.kernels.cpu.arrays import array_of, flat
from netdesc.kernels.cpu.arrivals import Events, arriving, gather
from netdesc.kernels.cpu.backward import share
from netdesc.kernels.cpu.budget import left_beside
from netdesc.kernels.cpu.buffers import scratch
from netdesc.kernels.cpu.by_source import add_up_run, add_up_step, by_source
from netdesc.kernels.cpu.lanes import LANES, load, spread, store
from netdesc.kernels.cpu.steps import decay_state, flush, from_state, saturate, to_state
from netdesc.kernels.cpu.threads import crew_of
from netdesc.kernels.cpu.weight_sums import room_for_weights, room_to_turn, turn_over
from netdesc.kernels.cpu.weights import (
    integers_of_vector,
    limits_of,
    numbers_by_vectors,
    reals_of_vector,
    room_by_vectors,
    together_of,
)
from netdesc.kernels.parameters import keep

_SHARE = 8
"""Of the neurons, at most an eighth has its current worked out once more at a time."""

_MOST = 1.0
"""Times the size of the gradient, that threads may hold beside it."""


def leak(z: np.ndarray, decay: torch.Tensor) -> np.ndarray:
    """From what arrives to the current; ``decay`` is [] or [neurons]."""
    _, batch, size = z.shape
    forward.leaky_forward(z.reshape(-1), flat(keep(decay, size)), batch, z.reshape(-1))
    return z


def leak_back(
    grad: np.ndarray, decay: torch.Tensor, arrived: Callable[[int, int], np.ndarray] | None
) -> torch.Tensor:
    """From the gradient of the current to that of what arrives.

    Returns that of the decay [neurons]. It needs the current, which is worked out once more from
    what ``arrived`` at the neurons from one to before another, a share at a time. Without it the
    decay gets zeros.
    """
    _, batch, size = grad.shape
    by_sample = np.zeros((batch, size), np.float32)
    length = size if arrived is None else -(-size // (_SHARE * LANES)) * LANES
    for first in range(0, size, length):
        last = min(size, first + length)
        current = grad if arrived is None else leak(arrived(first, last), _some(decay, first, last))
        backward.leaky_adjoint(
            grad.reshape(-1),
            current.reshape(-1),
            flat(keep(decay, size)),
            arrived is not None,
            batch,
            first,
            last,
            grad.reshape(-1),
            by_sample.reshape(-1),
        )
        del current  # its memory serves again
    return torch.from_numpy(by_sample.sum(axis=0))


def _some(decay: torch.Tensor, first: int, last: int) -> torch.Tensor:
    return decay[first:last] if decay.ndim else decay


def _numbers(steps: int, batch: int, inputs: int, learn: bool, bits: int | None) -> int:
    """Of 32 bits, that a thread needs for a vector: to turn sums over, weights, and a current.

    The current is that in a sample; weights and current are needed to ``learn`` the decay.
    """
    if not learn:
        return room_to_turn(inputs)
    return steps * LANES + room_for_weights(inputs, batch, bits is not None)


def crew_by_events(shape: tuple[int, int, int], inputs: int, learn: bool, bits: int | None) -> int:
    """How many threads ``leak_back_by_events`` has memory for beside a gradient of ``shape``."""
    (steps, batch, size), values = shape, math.prod(shape)
    of_one = _numbers(steps, batch, inputs, learn, bits)
    left = left_beside(numbers_by_vectors(size, inputs), 1.0, values)
    return min(crew_of(size), int(_MOST * values) // of_one, max(1, left // of_one))


def leak_back_by_events(
    grad: np.ndarray,
    decay: torch.Tensor,
    learn: bool,
    events: Events,
    weight_OI: torch.Tensor,
    bits: int | None,
    crew: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The same, and on to the weights (see ``synapses.weight_gradient``): gradients of both.

    A current is worked out once more where the decay is learnt, by one vector after the other. So
    many threads work at it as there are in the ``crew``.
    """
    steps, batch, size = grad.shape
    outputs, inputs = weight_OI.shape
    by_sample, room = np.zeros((batch, size), np.float32), room_by_vectors(outputs, inputs)
    ordered = by_source(events, inputs, outputs)
    numbers = ordered.length * LANES + _numbers(steps, batch, inputs, learn, bits)
    _back_by_events(
        events,
        array_of(weight_OI),
        bits is not None,
        *limits_of(bits),
        flat(keep(decay, size)),
        learn,
        grad.reshape(-1),
        ordered,
        scratch((crew, numbers), np.float32),
        by_sample.reshape(-1),
        room.reshape(-1, inputs * LANES),
    )
    return torch.from_numpy(room[:outputs]), torch.from_numpy(by_sample.sum(axis=0))


@numba.njit(inline="always")
def _again(events, b, is_integer, integer_IN, real_IN, together, keep, lo, n, current):
    """A vector's current in every step of a sample [steps · n], as ``leaky_forward`` does."""
    rate, u = load(keep, lo, n), spread(np.int32(0))
    for t in range(events.steps):
        if is_integer:
            z = arriving(events, t, b, integer_IN, n, together)
        else:
            z = to_state(gather(events, t, b, real_IN, n))
        u = saturate(decay_state(u, rate) + z)
        store(current, t * n, from_state(u), LANES)


@numba.njit(parallel=True, cache=True, nogil=True)
def _back_by_events(
    events,
    weight_OI,
    is_integer,
    low,
    high,
    keep,
    learn,
    grad,
    ordered,
    room_KN,
    grad_decay,
    grad_VLI,
):
    """``leaky_adjoint``, adding up the gradient of the weights (see ``adjoint_by_events``).

    A thread has a run of gradients, if events are ``ordered`` by their source, and what
    ``_numbers`` says in its part of ``room_KN``; of a single sample weights are where the sums are
    later. (Of a vector of few neurons it has these alone, and lanes that nobody looks at: see
    ``last_layer``.)
    """
    neurons, batch, vectors, threads = len(keep), events.batch, len(grad_VLI), len(room_KN)
    steps, run = events.steps, ordered.length or events.steps
    of_run = ordered.length * LANES
    until_weights = of_run + (steps * LANES if learn else 0)
    for thread in numba.prange(threads):
        g_run, current = room_KN[thread, :of_run], room_KN[thread, of_run:until_weights]
        own = room_KN[thread, until_weights:]
        for item in range(thread * vectors // threads, (thread + 1) * vectors // threads):
            lo = item * LANES
            n = min(LANES, neurons - lo)
            rate = share(load(keep, lo, n))
            sums = grad_VLI[item]
            real_IN = own if batch > 1 else sums
            integer_IN = real_IN.view(np.int16)
            if learn and is_integer:
                integers_of_vector(weight_OI, low, high, lo, n, integer_IN)
            elif learn:
                reals_of_vector(weight_OI, lo, n, real_IN)
            for b in range(batch):
                if learn:
                    _again(
                        events, b, is_integer, integer_IN, real_IN, together_of(low), keep, lo, n,
                        current,
                    )  # fmt: skip
                if b == 0:
                    sums[:] = 0
                g, total = spread(np.float32(0)), spread(np.float32(0))
                for until in range(steps, 0, -run):
                    first = max(0, until - run)
                    for t in range(until - 1, first - 1, -1):
                        at = (t * batch + b) * neurons + lo
                        of_u = load(grad, at, n)
                        if learn:
                            total = total - g * load(current, t * n, LANES)
                        g = flush(rate * g + of_u)
                        store(grad, at, g, n)
                        add_up_step(ordered, events, t, first, b, g, g_run, sums)
                    if ordered.length:
                        add_up_run(ordered, b, (steps - until) // run, g_run, sums)
                store(grad_decay, b * neurons + lo, total, n)
            turn_over(sums, own, weight_OI, low, high, lo, n)
