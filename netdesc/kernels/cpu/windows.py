"""Losses and classes by a moving window on the CPU, from spikes that are a bit each.

One walk through a sample carries two windows along: the one that ends in a step gives the step's
costs, the one that begins there its gradient, because a spike is in the windows of its own step and
of the next ones. So nothing but the gradient is ever whole.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numba
import numpy as np
import torch

from netdesc.kernels.cpu import windows_of_numbers
from netdesc.kernels.cpu.arrays import array_of
from netdesc.kernels.cpu.buffers import take
from netdesc.kernels.cpu.by_samples import samples_at_once
from netdesc.kernels.cpu.lanes import (
    LANES,
    as_floats,
    as_ints,
    cast_like,
    element,
    largest,
    load,
    spread,
    store,
    sum_of,
    two_to_any,
    two_to_the,
    where,
)
from netdesc.kernels.cpu.threads import on_threads, threads
from netdesc.kernels.cpu.trains import Spikes, SpikeSum, SpikeTrains
from netdesc.kernels.cpu.window_costs import (
    KINDS,
    LIKELIHOOD,
    SOFTMAX,
    Costs,
    costs_of_step,
    flat_labels,
    sum_of_costs,
)
from netdesc.kernels.cpu.windows_of_numbers import ManySpikes
from netdesc.kernels.cpu.words import lanes_of, lowest, word_of
from netdesc.kernels.packed_spikes import HEADER, hold_output, packed_trains_size
from netdesc.kernels.reference.windows import SILENT
from netdesc.kernels.spike_words import FEW_DIGITS

_PARTS_OF_MANY = 4
_LOG2_E = np.float32(math.log2(math.e))
_WORD = np.int64((1 << LANES) - 1)
_NUMBERS = np.arange(LANES, dtype=np.int32)


@on_threads
def window_loss(
    output_TBN: torch.Tensor,
    labels_TB: torch.Tensor,
    window: int,
    costs: str,
    true_rate: float,
    false_rate: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """See ``reference.windows.window_loss``.

    Spikes that are 0 or 1 are kept for the backward pass, a bit each.
    """
    steps, batch, neurons = output_TBN.shape
    packed = take((packed_trains_size((steps, batch, neurons)),), np.int32)
    trains = SpikeTrains.of(array_of(output_TBN), packed[HEADER:])
    packed[:HEADER] = trains is not None
    of_costs = Costs(window, costs, true_rate, false_rate)
    loss, _ = loss_of(trains or _counted(output_TBN), labels_TB, of_costs, None)
    return loss, torch.from_numpy(packed)


@on_threads
def window_loss_backward(
    output_TBN: torch.Tensor | None,
    labels_TB: torch.Tensor,
    packed: torch.Tensor,
    grad_loss: torch.Tensor,
    neurons: int,
    window: int,
    costs: str,
    true_rate: float,
    false_rate: float,
) -> torch.Tensor:
    """See ``reference.windows.window_loss_backward``; ``packed`` stands for spikes."""
    of_costs = Costs(window, costs, true_rate, false_rate)
    if hold_output(packed):
        steps, batch = labels_TB.shape
        output = SpikeTrains((steps, batch, neurons), packed.numpy()[HEADER:])
    else:
        assert output_TBN is not None, "it was not packed"
        output = _counted(output_TBN)
    return loss_of(output, labels_TB, of_costs, float(grad_loss))[1]


@on_threads
def window_classes(output_TBN: torch.Tensor, window: int) -> torch.Tensor:
    """See ``reference.windows.window_classes``."""
    return classes_of(SpikeTrains.of(array_of(output_TBN)) or _counted(output_TBN), window)


Output = Spikes | ManySpikes | np.ndarray
"""Spikes that are few in a cell, or many; or float32 [steps, batch, neurons]."""


def _counted(output_TBN: torch.Tensor) -> Output:
    output = array_of(output_TBN)
    counted = SpikeSum.of_counts(output)
    return output if counted is None or not is_small(counted) else counted


def is_small(spikes: Spikes) -> bool:
    """Whether there are so few in a cell that the walk through words holds.

    Of more, exponentials of rates are too large for floats, and sums over the steps for integers.
    """
    return isinstance(spikes, SpikeTrains) or spikes.has_at_most(FEW_DIGITS)


@dataclass(frozen=True, eq=False)
class Looks:
    """An output that is looked at for so many samples ``at_once``, or less."""

    of_samples: Callable[[int, int], Output]
    """Of those from one to before another."""
    at_once: int

    @classmethod
    def at(cls, output: Spikes | np.ndarray) -> Looks:
        """Of few spikes a half, of all else, where more is beside the gradient, a quarter."""
        if not isinstance(output, np.ndarray) and is_small(output):
            return cls(output.samples, samples_at_once(output.shape))
        some = samples_at_once(output.shape, _PARTS_OF_MANY)
        if isinstance(output, np.ndarray):
            return cls(lambda first, last: np.ascontiguousarray(output[:, first:last]), some)
        return cls(lambda first, last: ManySpikes(output.samples(first, last)), some)


def loss_of(
    output: Output, labels_TB: torch.Tensor, costs: Costs, grad_total: float | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """The costs, a float32 scalar, and their gradient by the output times ``grad_total``.

    The gradient is empty if that is None. See ``reference.windows.window_loss``.
    """
    sums = np.empty(output.shape[1])
    grad_TBN = gradient_of(output, labels_TB, costs, grad_total, sums)
    return sum_of_costs(sums), grad_TBN


def gradient_of(
    output: Output,
    labels_TB: torch.Tensor,
    costs: Costs,
    grad_total: float | None,
    sums: np.ndarray,
) -> torch.Tensor:
    """The same gradient; ``sums`` [batch] gets the costs of each sample."""
    if isinstance(output, ManySpikes | np.ndarray):
        return windows_of_numbers.gradient_of(output, labels_TB, costs, grad_total, sums)
    steps, batch, neurons = output.shape
    labels, apart = flat_labels(labels_TB, neurons)
    grad = take((0 if grad_total is None else steps * batch * neurons,), np.float32)
    _walk(
        *_words_of(output),
        steps,
        batch,
        neurons,
        min(costs.window, steps),
        np.float32(1 / costs.window),
        KINDS[costs.kind],
        costs.true_rate,
        costs.false_rate,
        labels,
        apart,
        min(threads(), batch),
        np.float32(grad_total or 0.0),
        grad,
        sums,
    )
    grad_TBN = torch.from_numpy(grad)
    return grad_TBN if grad_total is None else grad_TBN.view(output.shape)


def classes_of(output: Output, window: int) -> torch.Tensor:
    """See ``reference.windows.window_classes``."""
    if isinstance(output, ManySpikes | np.ndarray):
        return windows_of_numbers.classes_of(output, window)
    steps, batch, neurons = output.shape
    classes = np.empty((steps, batch), np.int64)  # for a moment only
    crew = min(threads(), batch)
    _classify(
        *_words_of(output), steps, batch, neurons, min(window, steps), crew, classes.reshape(-1)
    )
    return torch.from_numpy(classes)


def _words_of(trains: Spikes) -> tuple[np.ndarray, int | None]:
    """Those of all digits, and how many one has, None where it is the only one.

    Kernels are compiled for that by itself: they are slower where they may go on to the next one.
    """
    digits = trains.digits
    return digits.reshape(-1), None if len(digits) == 1 else digits.shape[1]


@numba.njit(inline="always")
def _moved(words, of_one, first, t, window, counts, at):
    """The counts of a vector whose window now ends in step t; ``counts`` holds them from ``at``.

    ``words`` are of one digit after the other, so many ``of_one``; or None, where there is one.
    """
    now = load(counts, at, LANES) + as_ints(lanes_of(element(words, first + t)))
    if t >= window:
        now = now - as_ints(lanes_of(element(words, first + t - window)))
    if of_one is not None:
        worth = 1
        for place in range(first + t + of_one, len(words), of_one):
            worth *= 2
            more = as_ints(lanes_of(element(words, place)))
            if t >= window:
                more = more - as_ints(lanes_of(element(words, place - window)))
            now = now + more * spread(np.int32(worth))
    store(counts, at, now, LANES)
    return now


@numba.njit(inline="always")
def _weight(counts, of_one, kind, share, false_rate):
    """What a neuron's gradient is in proportion to, see ``costs_of_step``."""
    if kind == LIKELIHOOD:
        return spread(np.float32(1))
    rate = as_floats(counts) * spread(share)
    if kind == SOFTMAX:  # its exponential, e times smaller
        x = (rate - spread(np.float32(1))) * spread(_LOG2_E)
        return two_to_the(x) if of_one is None else two_to_any(x)
    return rate - spread(np.float32(false_rate))


@numba.njit(inline="always")
def _summand(counts, weight, kind):
    """What of a neuron the costs need the sum of."""
    if kind == LIKELIHOOD:
        return as_floats(counts)
    return weight if kind == SOFTMAX else weight * weight


@numba.njit(inline="always")
def _sums(words, of_one, first, steps, t, window, counts, label, neurons, kind, share, false_rate):
    """What ``costs_of_step`` need of step t, over all neurons but the label's, and of that one."""
    none = spread(np.float32(0))
    others, own = none, none
    for at in range(0, len(counts), LANES):
        now = _moved(words, of_one, first + at // LANES * steps, t, window, counts, at)
        part = _summand(now, _weight(now, of_one, kind, share, false_rate), kind)
        numbers = load(_NUMBERS, 0, LANES)
        is_own = numbers == spread(np.int32(label - at))
        is_other = (numbers < spread(np.int32(neurons - at))) & (
            numbers != spread(np.int32(label - at))
        )
        own = own + where(is_own, part, none)
        others = others + where(is_other, part, none)
    return float(sum_of(others)), float(sum_of(own))


@numba.njit(inline="always")
def _enter(counts, of_one, by_weight, slope, kind, share, false_rate):
    """Adds a step's gradient by rates to that of the window that begins earlier."""
    for at in range(0, len(counts), LANES):
        weight = _weight(load(counts, at, LANES), of_one, kind, share, false_rate)
        change, before = weight * spread(by_weight), load(slope, at, LANES)
        store(slope, at, before + cast_like(change, before), LANES)


@numba.njit(inline="always")
def _leave(
    words, of_one, first, steps, t, window, counts, by_weight, slope, grad_total, neurons, grad, to,
    kind, share, false_rate,
):  # fmt: skip
    """Writes the gradient by the spikes of step t, and takes away what no later ones have."""
    for at in range(0, len(counts), LANES):
        now = _moved(words, of_one, first + at // LANES * steps, t, window, counts, at)
        weight = _weight(now, of_one, kind, share, false_rate)
        change, before = weight * spread(by_weight), load(slope, at, LANES)
        by_spike = cast_like(before, weight) * spread(share) * spread(grad_total)
        store(grad, to + at, by_spike, min(LANES, neurons - at))
        store(slope, at, before - cast_like(change, before), LANES)


@numba.njit(parallel=True, cache=True, nogil=True)
def _walk(
    words, of_one, steps, batch, neurons, window, share, kind, true_rate, false_rate, labels, apart,
    crew, grad_total, grad, sums,
):  # fmt: skip
    """Costs into ``sums`` [batch], their gradient into ``grad``, time-first, unless that is empty.

    ``words`` as in ``trains``, of one digit after the other. ``share`` is a spike's of a rate; no
    window is longer than a sample. A sample's labels are ``apart`` from step to step.
    """
    vectors = (neurons + LANES - 1) // LANES
    want = len(grad) > 0
    for thread in numba.prange(crew):
        of_end, of_start = np.empty((2, vectors * LANES), np.int32)
        slope = np.empty(vectors * LANES)  # the sum of the gradients by rates in the later window
        of_weights, of_own = np.empty((2, window), np.float32)
        for b in range(thread, batch, crew):
            first = b * vectors * steps
            of_end[:], of_start[:], slope[:] = 0, 0, 0
            costs = 0.0
            for t in range(steps + window - 1 if want else steps):
                if t < steps:
                    label = labels[t * apart + b]
                    others, own = _sums(
                        words, of_one, first, steps, t, window, of_end, label, neurons, kind,
                        share, false_rate,
                    )  # fmt: skip
                    cost, by_weight, by_own = costs_of_step(
                        others, own, of_end[label], neurons, kind, float(share), true_rate,
                        false_rate,
                    )  # fmt: skip
                    costs += cost
                    if want:
                        place = t % window
                        of_weights[place], of_own[place] = by_weight, by_own
                        _enter(of_end, of_one, of_weights[place], slope, kind, share, false_rate)
                        slope[label] += of_own[place]
                start = t - window + 1
                if want and start >= 0:
                    place, to = start % window, (start * batch + b) * neurons
                    _leave(
                        words, of_one, first, steps, start, window, of_start, of_weights[place],
                        slope, grad_total, neurons, grad, to, kind, share, false_rate,
                    )  # fmt: skip
                    slope[labels[start * apart + b]] -= of_own[place]
            sums[b] = costs


@numba.njit(parallel=True, cache=True, nogil=True)
def _classify(words, of_one, steps, batch, neurons, window, crew, classes):
    vectors = (neurons + LANES - 1) // LANES
    for thread in numba.prange(crew):
        counted = np.empty(vectors * LANES, np.int32)
        for b in range(thread, batch, crew):
            counted[:] = 0
            for t in range(steps):
                highest, found = 0, SILENT
                for vector in range(vectors):
                    at, first = vector * LANES, (b * vectors + vector) * steps
                    counts = _moved(words, of_one, first, t, window, counted, at)
                    here = largest(counts)
                    if here > highest:
                        highest = here
                        equal = word_of(counts == spread(here))
                        found = at + lowest(np.int64(equal) & _WORD)
                classes[t * batch + b] = found
