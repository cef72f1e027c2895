"""Losses and classes from spike counts in a moving window, on the CPU.

Each thread computes whole samples. The spikes of each neuron in the window are counted in 64-bit
floats, because an output may be any real number. Rates and the gradients of single steps have 32
bits.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np
import torch
from numpy.typing import NDArray

from netdesc.kernels.cpu.runtime.bitmask import lowest_bit, to_bitmask
from netdesc.kernels.cpu.runtime.kernel_cache import kernel
from netdesc.kernels.cpu.runtime.memory_pool import allocate, array_of, scalar
from netdesc.kernels.cpu.runtime.simd import (
    LANES,
    broadcast,
    cast_like,
    exp2,
    largest,
    sum_of,
    where,
)
from netdesc.kernels.cpu.runtime.simd_memory import load, store
from netdesc.kernels.cpu.runtime.threads import on_threads, set_thread_count
from netdesc.kernels.reference.windows import HALF_A_SPIKE, SILENT

_SQUARES, _SOFTMAX, _LIKELIHOOD = range(3)
_KINDS = {"squares": _SQUARES, "softmax": _SOFTMAX, "likelihood": _LIKELIHOOD}

_NO_GRADIENT = np.empty(0, np.float32)
_LANE_NUMBERS = np.arange(LANES, dtype=np.int32)
_LOG2_E = np.float32(math.log2(math.e))

_MIN_EXPONENT = np.float32(-120)
"""Smallest exponent of 2 that is computed; 2⁻¹²⁰ is too small to change a sum of 1."""


class WindowCosts(NamedTuple):
    """Parameters of the costs of a step; see ``operators.window_loss``."""

    kind: int
    window: int
    """Number of steps of the window, at most the number of steps of a sample."""
    share: float
    """The rate of one spike: 1 / (steps of the loss's window), even if a sample is shorter."""
    true_rate: float
    false_rate: float


@on_threads
def window_loss(
    output_TBN: torch.Tensor,
    labels_TB: torch.Tensor,
    window: int,
    costs: str,
    true_rate: float,
    false_rate: float,
) -> torch.Tensor:
    """See ``reference.windows.window_loss``."""
    step_costs = _costs_of(output_TBN, window, costs, true_rate, false_rate)
    return scalar(_sample_costs(output_TBN, labels_TB, step_costs, 1.0, _NO_GRADIENT).sum())


@on_threads
def window_loss_backward(
    output_TBN: torch.Tensor,
    labels_TB: torch.Tensor,
    grad_loss: torch.Tensor,
    window: int,
    costs: str,
    true_rate: float,
    false_rate: float,
) -> torch.Tensor:
    """See ``reference.windows.window_loss_backward``."""
    step_costs = _costs_of(output_TBN, window, costs, true_rate, false_rate)
    grad = allocate(tuple(output_TBN.shape), np.float32)
    _sample_costs(output_TBN, labels_TB, step_costs, float(grad_loss), grad.reshape(-1))
    return torch.from_numpy(grad)


@on_threads
def window_classes(output_TBN: torch.Tensor, window: int) -> torch.Tensor:
    """See ``reference.windows.window_classes``."""
    steps, batch, _ = output_TBN.shape
    classes_TB = np.empty((steps, batch), np.int64)
    _classify(array_of(output_TBN), min(window, steps), min(set_thread_count(), batch), classes_TB)
    return torch.from_numpy(classes_TB)


def _costs_of(
    output_TBN: torch.Tensor, window: int, costs: str, true_rate: float, false_rate: float
) -> WindowCosts:
    reach = min(window, len(output_TBN))
    return WindowCosts(_KINDS[costs], reach, 1 / window, true_rate, false_rate)


def _sample_costs(
    output_TBN: torch.Tensor,
    labels_TB: torch.Tensor,
    costs: WindowCosts,
    grad_loss: float,
    grad: np.ndarray,
) -> np.ndarray:
    """Returns the costs of each sample, float64 [batch], and fills ``grad`` unless it is empty.

    ``_accumulate_costs`` explains ``grad``. Raises ValueError if a label is negative or not below
    the number of neurons.
    """
    _, batch, neurons = output_TBN.shape
    labels: NDArray[np.int64] = np.ascontiguousarray(labels_TB.numpy())
    for label in (labels.min(), labels.max()):
        if not 0 <= label < neurons:
            raise ValueError(
                f"a label is {label}; with {neurons} neurons, labels are 0 to {neurons - 1}"
            )
    sums, thread_count = np.empty(batch), min(set_thread_count(), batch)
    _accumulate_costs(array_of(output_TBN), labels, costs, thread_count, grad_loss, grad, sums)
    return sums


@numba.njit(inline="always")
def _wide(lanes):
    return cast_like(lanes, broadcast(np.float64(0)))


@numba.njit(inline="always")
def _narrow(lanes):
    return cast_like(lanes, broadcast(np.float32(0)))


@numba.njit(inline="always")
def _move_window(output, new_at, old_at, counts, neurons):
    """Moves the window by one step: updates ``counts`` [vectors · LANES].

    ``new_at`` is the index in ``output`` of the step that enters the window. ``old_at`` is the
    index of the step that leaves the window, negative if no step leaves it yet.
    """
    for at in range(0, len(counts), LANES):
        n = min(LANES, neurons - at)
        moved = load(counts, at, LANES) + _wide(load(output, new_at + at, n))
        if old_at >= 0:
            moved = moved - _wide(load(output, old_at + at, n))
        store(counts, at, moved, LANES)


@numba.njit(inline="always")
def _is_below(count):
    """Returns ``Bits`` that are set in the first ``count`` lanes."""
    return load(_LANE_NUMBERS, 0, LANES) < broadcast(np.int32(count))


@numba.njit(inline="always")
def _is_at(lane):
    """Returns ``Bits`` that are set only in ``lane``."""
    return load(_LANE_NUMBERS, 0, LANES) == broadcast(np.int32(lane))


@numba.njit(inline="always")
def _rates(counts, at, share):
    return _narrow(load(counts, at, LANES) * broadcast(share))


@numba.njit(inline="always")
def _largest_rate(counts, neurons, share):
    top, lowest = -np.inf, broadcast(np.float32(-np.inf))
    for at in range(0, len(counts), LANES):
        rates = where(_is_below(neurons - at), _rates(counts, at, share), lowest)
        top = max(top, float(largest(rates)))
    return top


@numba.njit(inline="always")
def _squared_cost(counts, label, neurons, costs, slopes, first):
    zero, cost = broadcast(np.float32(0)), 0.0
    true_rate = broadcast(np.float32(costs.true_rate))
    false_rate = broadcast(np.float32(costs.false_rate))
    for at in range(0, len(counts), LANES):
        target = where(_is_at(label - at), true_rate, false_rate)
        distance = _rates(counts, at, costs.share) - target
        distance = where(_is_below(neurons - at), distance, zero)
        store(slopes, first + at, distance * broadcast(np.float32(2 * costs.share)), LANES)
        cost += float(sum_of(distance * distance))
    return cost


@numba.njit(inline="always")
def _softmax_cost(counts, label, neurons, costs, slopes, first):
    share, zero, total = costs.share, broadcast(np.float32(0)), 0.0
    top = _largest_rate(counts, neurons, share)
    for at in range(0, len(counts), LANES):
        x = _narrow(load(counts, at, LANES) * broadcast(share) - broadcast(top)) * broadcast(
            _LOG2_E
        )
        x = where(x < broadcast(_MIN_EXPONENT), broadcast(_MIN_EXPONENT), x)
        power = where(_is_below(neurons - at), exp2(x), zero)
        store(slopes, first + at, power, LANES)
        total += float(sum_of(power))
    below_min = (top - counts[label] * share) + float(_MIN_EXPONENT / _LOG2_E)
    cost = math.log(total / slopes[first + label]) + max(0.0, below_min)
    for at in range(0, len(counts), LANES):
        power = load(slopes, first + at, LANES)
        power = where(_is_at(label - at), power - broadcast(np.float32(total)), power)
        store(slopes, first + at, power * broadcast(np.float32(share / total)), LANES)
    return cost


@numba.njit(inline="always")
def _likelihood_cost(counts, label, neurons, costs, slopes, first):
    label_count, total, min_total = counts[label], 0.0, 0.0
    for at in range(0, len(counts), LANES):
        total += float(sum_of(_narrow(load(counts, at, LANES))))
    if label_count < HALF_A_SPIKE:
        label_count, min_total = HALF_A_SPIKE, HALF_A_SPIKE * neurons
    if total < min_total:
        total = min_total
    other_slope, label_slope = np.float32(1 / total), np.float32(1 / total - 1 / label_count)
    for at in range(0, len(counts), LANES):
        slope = where(_is_at(label - at), broadcast(label_slope), broadcast(other_slope))
        store(slopes, first + at, slope, LANES)
    return math.log(total / label_count)


@numba.njit(inline="always")
def _step_cost(counts, label, neurons, costs, slopes, first):
    """Returns the cost of one step, and writes the gradient of the counts to ``slopes[first:]``."""
    if costs.kind == _SQUARES:
        return _squared_cost(counts, label, neurons, costs, slopes, first)
    if costs.kind == _SOFTMAX:
        return _softmax_cost(counts, label, neurons, costs, slopes, first)
    return _likelihood_cost(counts, label, neurons, costs, slopes, first)


@numba.njit(inline="always")
def _add_up_windows(slopes, window, grad_loss, grad, first, step_stride, neurons):
    """Writes the gradient of a sample's output to ``grad[first:]``.

    A spike counts in ``window`` windows: in the window of its own step and of the following steps.
    ``slopes`` [steps, width] are the gradients of these windows' counts. Steps of ``grad`` are
    ``step_stride`` numbers apart.
    """
    steps, width = slopes.shape
    flat, sums = slopes.reshape(-1), np.zeros(width)
    for t in range(steps - 1, -1, -1):
        for at in range(0, width, LANES):
            total = load(sums, at, LANES) + _wide(load(flat, t * width + at, LANES))
            if t + window < steps:
                total = total - _wide(load(flat, (t + window) * width + at, LANES))
            store(sums, at, total, LANES)
            to, n = first + t * step_stride + at, min(LANES, neurons - at)
            store(grad, to, _narrow(total * broadcast(grad_loss)), n)


@kernel(error_model="numpy")
def _accumulate_costs(output_TBN, labels_TB, costs, thread_count, grad_loss, grad, sums):
    """Fills ``sums`` [batch] with the costs of each sample.

    Unless ``grad`` is empty, also fills ``grad`` (flat and time-first) with ``grad_loss`` times the
    gradient of the costs.
    """
    steps, batch, neurons = output_TBN.shape
    output, step_stride = output_TBN.reshape(-1), batch * neurons
    width = (neurons + LANES - 1) // LANES * LANES
    rows = steps if len(grad) > 0 else 1
    for thread in numba.prange(thread_count):
        counts, slopes = np.empty(width), np.empty((rows, width), np.float32)
        flat = slopes.reshape(-1)
        for b in range(thread, batch, thread_count):
            counts[:] = 0
            total = 0.0
            for t in range(steps):
                new_at = t * step_stride + b * neurons
                _move_window(output, new_at, new_at - costs.window * step_stride, counts, neurons)
                first = t % rows * width
                total += _step_cost(counts, labels_TB[t, b], neurons, costs, flat, first)
            sums[b] = total
            if len(grad) > 0:
                _add_up_windows(
                    slopes, costs.window, grad_loss, grad, b * neurons, step_stride, neurons
                )


@numba.njit(inline="always")
def _most_active(counts, neurons):
    """Returns the first neuron with the largest count, or ``SILENT`` if all counts are 0."""
    top = _largest_rate(counts, neurons, 1.0)
    if top != 0 or np.any(counts[:neurons] != 0):
        for at in range(0, len(counts), LANES):
            equal = to_bitmask(_rates(counts, at, 1.0) == broadcast(np.float32(top)))
            if equal != 0:
                return at + lowest_bit(np.int64(equal))
    return SILENT


@kernel
def _classify(output_TBN, window, thread_count, classes_TB):
    steps, batch, neurons = output_TBN.shape
    output, step_stride = output_TBN.reshape(-1), batch * neurons
    for thread in numba.prange(thread_count):
        counts = np.empty((neurons + LANES - 1) // LANES * LANES)
        for b in range(thread, batch, thread_count):
            counts[:] = 0
            for t in range(steps):
                new_at = t * step_stride + b * neurons
                _move_window(output, new_at, new_at - window * step_stride, counts, neurons)
                classes_TB[t, b] = _most_active(counts, neurons)
