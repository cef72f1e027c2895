"""Weight quantisation to the fixed-point grid, with a straight-through gradient."""

import functools
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from netdesc.kernels.fixed_point import (
    DECAY_ONE,
    STATE_LIMIT,
    STATE_UNIT,
    WEIGHT_UNIT,
    weight_limits,
)
from netdesc.neurons.definition import ParameterKind
from netdesc.neurons.expressions import PARAMETER_LIMIT


def half_limits(bits: int) -> tuple[int, int]:
    """Returns the smallest and largest ``round(32 · w)`` of weights with ``bits`` bits.

    ``round(32 · w)`` is half the integer weight.
    """
    low, high = weight_limits(bits)
    return low // 2, high // 2


def quantize(weight: Tensor, bits: int) -> Tensor:
    """Quantises weights: ``clamp(2 · round(32 · w), −2^bits, 2^bits − 2) / 64``.

    Rounding takes ties to even. NaN becomes 0.
    """
    low, high = half_limits(bits)
    halves = torch.round(torch.nan_to_num(weight, nan=0.0) * (WEIGHT_UNIT / 2))
    return torch.clamp(halves, low, high) / (WEIGHT_UNIT / 2)


def straight_through(grad: Tensor, weight: Tensor, bits: int) -> Tensor:
    """Returns the gradient of ``quantize``: ``grad``, but 0 for weights that are clamped or NaN."""
    low, high = half_limits(bits)
    halves = torch.round(torch.nan_to_num(weight, nan=torch.inf) * (WEIGHT_UNIT / 2))
    # hardtanh passes gradients between its limits, which integer ``halves`` never equal.
    return torch.ops.aten.hardtanh_backward(grad, halves, low - 0.5, high + 0.5)


class _Grid(NamedTuple):
    """How a real number becomes an integer: scaled, clamped, rounded, and then in state units."""

    scale: int
    lowest: int
    highest: int
    is_rounded: bool
    """Whether it is rounded to the nearest integer, ties to even; else toward zero."""
    factor: int = 1
    offset: int = 0


@functools.cache
def _grid(kind: ParameterKind, state_unit: int) -> _Grid | None:
    if kind == "decay":
        return _Grid(DECAY_ONE, 0, DECAY_ONE, is_rounded=True, factor=-1, offset=DECAY_ONE)
    if kind == "factor":
        return _Grid(DECAY_ONE, -DECAY_ONE, DECAY_ONE, is_rounded=True)
    if kind == "real":
        return None
    scale = WEIGHT_UNIT if kind == "threshold" else STATE_UNIT
    units = state_unit // scale
    limit = PARAMETER_LIMIT // units
    return _Grid(scale, -limit, limit, is_rounded=False, factor=units)


def parameter_vector(kind: ParameterKind, value: Tensor, neurons: int, state_unit: int) -> Tensor:
    """Returns one number for each neuron: int32 [neurons] on the grid, float32 if ``kind`` is real.

    ``value`` is float32, [] or [neurons]. ``state_unit`` is the number of state units in a
    threshold unit. ``ParameterKind`` says how a value is rounded. Before that, NaN becomes 0 and
    values are clamped: decays to 0..1, factors to −1..1, states to ± ``PARAMETER_LIMIT`` units.
    """
    grid, value = _grid(kind, state_unit), value.detach()
    if grid is not None:
        value = (value * grid.scale).nan_to_num(0.0).clamp(grid.lowest, grid.highest)
        value = value.round() if grid.is_rounded else value
        value = value.to(torch.int32) * grid.factor + grid.offset
    return value.expand(neurons).contiguous()


@functools.cache
def grids_of(kinds: tuple[ParameterKind, ...], state_unit: int) -> np.ndarray:
    """Returns the grids of parameters for ``shared_vectors``, float64 [6, parameters]."""
    return np.array([_grid(kind, state_unit) for kind in kinds], np.float64).T


def shared_vectors(values_P: np.ndarray, grids: np.ndarray, neurons: int) -> np.ndarray:
    """Returns ``parameter_vector`` of numbers that all neurons share, int32 [parameters, neurons].

    Operations on tensors of one number would take longer than a layer's other preparations.
    """
    scale, lowest, highest, is_rounded, factor, offset = grids
    numbers = values_P * scale
    numbers[np.isnan(numbers)] = 0.0
    numbers = np.minimum(np.maximum(numbers, lowest), highest)
    numbers = np.rint(numbers, np.trunc(numbers), where=is_rounded > 0) * factor + offset
    return numbers.astype(np.int32).repeat(neurons).reshape(-1, neurons)


def truncate(value: Tensor, unit: int) -> Tensor:
    """Returns ``trunc(unit · value)``, int32, clamped to ± ``STATE_LIMIT``; NaN becomes 0.

    ``unit`` is a power of two, so that the product is exact.
    """
    return (value * unit).nan_to_num(0.0).clamp(-STATE_LIMIT, STATE_LIMIT).to(torch.int32)


GRADIENT_SIGNS: dict[ParameterKind, int] = {"decay": -1, "factor": 1, "threshold": 1, "grid": 1}
"""Learnable kind -> the derivative of its number on the grid, as a share or in threshold units."""


def parameter_gradient(grad_N: Tensor, parameter: Tensor) -> Tensor | None:
    """Sums gradients [neurons] to the shape of ``parameter``. None if it is not learnt."""
    if not parameter.requires_grad:
        return None
    return grad_N.sum_to_size(parameter.shape) if parameter.dim() else grad_N.sum()
