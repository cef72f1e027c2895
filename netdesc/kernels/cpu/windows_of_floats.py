"""Losses and classes by a moving window on the CPU, of an output that is no small sum of spikes.

The walk is that of ``windows``, with numbers in 64 bits in place of words and integers: large
counts have exponentials that no float can hold, so that these are taken of the difference to the
largest in each step.
"""

from __future__ import annotations

import math

import numba
import numpy as np
import torch

from netdesc.kernels.cpu.buffers import take
from netdesc.kernels.cpu.threads import threads
from netdesc.kernels.cpu.window_costs import (
    KINDS,
    LIKELIHOOD,
    SOFTMAX,
    Costs,
    costs_of_step,
    flat_labels,
)
from netdesc.kernels.reference.windows import SILENT

_LEAST = 1e-290
"""An exponential of which no more is known than that it is small."""


def gradient_of(
    output_TBN: np.ndarray,
    labels_TB: torch.Tensor,
    costs: Costs,
    grad_total: float | None,
    sums: np.ndarray,
) -> torch.Tensor:
    """See ``windows.gradient_of``."""
    steps, batch, neurons = output_TBN.shape
    labels, apart = flat_labels(labels_TB, neurons)
    shape = output_TBN.shape if grad_total is not None else (0, batch, neurons)
    grad_TBN = take(shape, np.float32)
    _walk(
        output_TBN,
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


def classes_of(output_TBN: np.ndarray, window: int) -> torch.Tensor:
    """See ``reference.windows.window_classes``."""
    steps, batch, _ = output_TBN.shape
    classes_TB = np.empty((steps, batch), np.int64)
    _classify(output_TBN, min(window, steps), min(threads(), batch), classes_TB)
    return torch.from_numpy(classes_TB)


@numba.njit(inline="always")
def _move(output, b, t, window, counts):
    """To the window that ends in step t."""
    for n in range(len(counts)):
        counts[n] += np.float64(output[t, b, n])
    if t >= window:
        for n in range(len(counts)):
            counts[n] -= np.float64(output[t - window, b, n])


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
    output, window, share, kind, true_rate, false_rate, labels, apart, crew, grad_total, grad, sums
):
    """Costs into ``sums`` [batch], and their gradient into ``grad``, unless that has no steps.

    No window is longer than a sample. A sample's labels are ``apart`` from step to step. One window
    gives a step's costs, and one that is behind takes away the gradient that no later step has.
    """
    steps, batch, neurons = output.shape
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
                    _move(output, b, t, window, of_end)
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
                    _move(output, b, start, window, of_start)
                    _weigh(of_start, kind, share, false_rate, of_largest[place], weights)
                    by_weight = np.float32(of_weights[place])
                    for n in range(neurons):
                        grad[start, b, n] = slope[n] * share * grad_total
                        slope[n] -= np.float32(weights[n]) * by_weight
                    slope[labels[start * apart + b]] -= of_own[place]
            sums[b] = costs


@numba.njit(parallel=True, cache=True, nogil=True)
def _classify(output, window, crew, classes):
    steps, batch, neurons = output.shape
    for thread in numba.prange(crew):
        counts = np.empty(neurons)
        for b in range(thread, batch, crew):
            counts[:] = 0
            for t in range(steps):
                _move(output, b, t, window, counts)
                highest, found = 0.0, SILENT
                for n in range(neurons):
                    if counts[n] > highest:
                        highest, found = counts[n], n
                classes[t, b] = found
