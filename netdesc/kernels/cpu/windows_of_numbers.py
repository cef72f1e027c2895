"""Losses and classes by a moving window on the CPU, of an output that is no small sum of spikes.

The walk is that of ``windows``, with numbers in 64 bits in place of integers: large counts have
exponentials that no float can hold, so that these are taken of the difference to the largest in
each step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba
import numpy as np
import torch

from netdesc.kernels.cpu.buffers import take
from netdesc.kernels.cpu.lanes import LANES, element
from netdesc.kernels.cpu.threads import threads
from netdesc.kernels.cpu.trains import Spikes
from netdesc.kernels.cpu.window_costs import (
    KINDS,
    LIKELIHOOD,
    SOFTMAX,
    Costs,
    costs_of_step,
    flat_labels,
)
from netdesc.kernels.cpu.words import lowest
from netdesc.kernels.reference.windows import SILENT

_LEAST = 1e-290
"""An exponential of which no more is known than that it is small."""

_WORD = np.int64((1 << LANES) - 1)


@dataclass(frozen=True, eq=False)
class ManySpikes:
    """Spikes of which there may be any number in a cell."""

    spikes: Spikes

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.spikes.shape


Numbers = ManySpikes | np.ndarray
"""Or float32 [steps, batch, neurons]."""


def gradient_of(
    output: Numbers,
    labels_TB: torch.Tensor,
    costs: Costs,
    grad_total: float | None,
    sums: np.ndarray,
) -> torch.Tensor:
    """See ``windows.gradient_of``."""
    steps, batch, neurons = output.shape
    labels, apart = flat_labels(labels_TB, neurons)
    grad_TBN = take((0 if grad_total is None else steps, batch, neurons), np.float32)
    _walk(
        *_as_kernels_read(output),
        steps,
        batch,
        neurons,
        min(costs.window, steps),
        1 / costs.window,
        KINDS[costs.kind],
        costs.true_rate,
        costs.false_rate,
        labels,
        apart,
        min(threads(), batch),
        grad_total or 0.0,
        grad_TBN,
        sums,
    )
    return torch.from_numpy(grad_TBN)


def classes_of(output: Numbers, window: int) -> torch.Tensor:
    """See ``reference.windows.window_classes``."""
    steps, batch, neurons = output.shape
    classes_TB = np.empty((steps, batch), np.int64)
    crew = min(threads(), batch)
    _classify(*_as_kernels_read(output), neurons, min(window, steps), crew, classes_TB)
    return torch.from_numpy(classes_TB)


def _as_kernels_read(output: Numbers) -> tuple[np.ndarray, int]:
    """Words, one digit's after the other's, and how many a digit has; of floats that is 0."""
    if isinstance(output, np.ndarray):
        return output.reshape(-1), 0
    digits = output.spikes.digits
    return digits.reshape(-1), digits.shape[1]


@numba.njit(inline="always")
def _add(output, of_digit, steps, batch, b, t, sign, counts):
    """What is in step t, with a sign."""
    if of_digit == 0:
        row = (t * batch + b) * len(counts)
        for n in range(len(counts)):
            counts[n] += sign * np.float64(element(output, row + n))
    else:
        vectors = (len(counts) + LANES - 1) // LANES
        for vector in range(vectors):
            place, worth = (b * vectors + vector) * steps + t, sign
            for at in range(place, len(output), of_digit):
                word = np.int64(element(output, at)) & _WORD
                while word:
                    counts[vector * LANES + lowest(word)] += worth
                    word &= word - 1
                worth *= 2


@numba.njit(inline="always")
def _move(output, of_digit, steps, batch, b, t, window, counts):
    """To the window that ends in step t."""
    _add(output, of_digit, steps, batch, b, t, 1.0, counts)
    if t >= window:
        _add(output, of_digit, steps, batch, b, t - window, -1.0, counts)


@numba.njit(inline="always")
def _weigh(counts, kind, share, false_rate, largest, weights):
    """What the neurons' gradients are in proportion to, see ``window_costs``."""
    for n in range(len(counts)):
        if kind == LIKELIHOOD:
            weights[n] = 1.0
        elif kind == SOFTMAX:  # smaller by the exponential of the largest
            weights[n] = math.exp((counts[n] - largest) * share)
        else:
            weights[n] = counts[n] * share - false_rate


@numba.njit(inline="always")
def _largest(counts):
    largest = counts[0]
    for count in counts:
        largest = max(largest, count)
    return largest


@numba.njit(inline="always")
def _sums(counts, weights, label, kind):
    """What the costs need of a step: over all neurons but the label's, and of that one."""
    others, own = 0.0, 0.0
    for n in range(len(counts)):
        part = weights[n]
        if kind == LIKELIHOOD:
            part = counts[n]
        elif kind != SOFTMAX:
            part *= part
        if n == label:
            own = part
        else:
            others += part
    return others, own


@numba.njit(parallel=True, cache=True, nogil=True, error_model="numpy")
def _walk(
    output, of_digit, steps, batch, neurons, window, share, kind, true_rate, false_rate, labels,
    apart, crew, grad_total, grad, sums,
):  # fmt: skip
    """Costs into ``sums`` [batch], and their gradient into ``grad``, unless that has no steps.

    No window is longer than a sample. A sample's labels are ``apart`` from step to step. One window
    gives a step's costs, and one that is behind takes away the gradient that no later step has.
    """
    want = len(grad) > 0
    for thread in numba.prange(crew):
        of_end, of_start, weights, slope = np.empty((4, neurons))
        of_weights, of_own, of_largest = np.empty((3, window))
        for b in range(thread, batch, crew):
            of_end[:], of_start[:], slope[:] = 0, 0, 0
            costs = 0.0
            for t in range(steps + window - 1 if want else steps):
                if t < steps:
                    place, label = t % window, labels[t * apart + b]
                    _move(output, of_digit, steps, batch, b, t, window, of_end)
                    largest = _largest(of_end)
                    _weigh(of_end, kind, share, false_rate, largest, weights)
                    others, own = _sums(of_end, weights, label, kind)
                    if kind == SOFTMAX:
                        own = max(own, _LEAST)
                    cost, by_weight, by_own = costs_of_step(
                        others, own, of_end[label], neurons, kind, share, true_rate, false_rate
                    )
                    if kind == SOFTMAX and own == _LEAST:
                        cost = math.log(others + own) + (largest - of_end[label]) * share
                    costs += cost
                    if kind == LIKELIHOOD:  # where no others spike it takes the weight's part away
                        by_own = float(np.float32(by_own))
                    of_weights[place], of_own[place] = by_weight, by_own
                    of_largest[place] = largest
                    for n in range(neurons):
                        slope[n] += np.float32(weights[n]) * np.float32(by_weight)
                    slope[label] += by_own
                start = t - window + 1
                if want and start >= 0:
                    place = start % window
                    _move(output, of_digit, steps, batch, b, start, window, of_start)
                    _weigh(of_start, kind, share, false_rate, of_largest[place], weights)
                    by_weight = np.float32(of_weights[place])
                    for n in range(neurons):
                        grad[start, b, n] = slope[n] * share * grad_total
                        slope[n] -= np.float32(weights[n]) * by_weight
                    slope[labels[start * apart + b]] -= of_own[place]
            sums[b] = costs


@numba.njit(parallel=True, cache=True, nogil=True)
def _classify(output, of_digit, neurons, window, crew, classes):
    steps, batch = classes.shape
    for thread in numba.prange(crew):
        counts = np.empty(neurons)
        for b in range(thread, batch, crew):
            counts[:] = 0
            for t in range(steps):
                _move(output, of_digit, steps, batch, b, t, window, counts)
                highest, found = 0.0, SILENT
                for n in range(neurons):
                    if counts[n] > highest:
                        highest, found = counts[n], n
                classes[t, b] = found
