"""Parameters of neurons on the fixed-point grid: real tensors [] or [neurons] become vectors.

Operators get real parameters, and neurons compute with integers. The gradient passes straight
through the rounding, and through the clamping, too.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor

from netdesc.kernels.fixed_point import DECAY_ONE, STATE_LIMIT, STATE_UNIT, WEIGHT_UNIT
from netdesc.neurons.definition import ParameterKind
from netdesc.neurons.expressions import PARAMETER_LIMIT


def parameter_vector(kind: ParameterKind, value: Tensor, neurons: int, state_unit: int) -> Tensor:
    """Returns one number for each neuron: int32 [neurons] on the grid, float32 if ``kind`` is real.

    ``value`` is float32, [] or [neurons]. ``state_unit`` is the number of state units in a
    threshold unit. ``ParameterKind`` says how a value is rounded. Before that, NaN becomes 0 and
    values are clamped: decays to 0..1, factors to −1..1, states to ± ``PARAMETER_LIMIT`` units.
    Nobody may write to the vector, because vectors of numbers that all neurons share are cached.
    """
    if not value.dim() and value.is_cpu:
        return shared_vector(kind, value.item(), neurons, state_unit)
    return _VECTORS[kind](value.detach(), state_unit).expand(neurons).contiguous()


@functools.lru_cache(maxsize=256)
def shared_vector(kind: ParameterKind, value: float, neurons: int, state_unit: int) -> Tensor:
    """Returns ``parameter_vector`` of a number that all neurons share."""
    number = torch.tensor(value, dtype=torch.float32, device="cpu")
    return _VECTORS[kind](number, state_unit).expand(neurons).contiguous()


def _shares(value: Tensor, lowest: float) -> Tensor:
    return torch.round(value.nan_to_num(0.0).clamp(lowest, 1.0) * DECAY_ONE).to(torch.int32)


def _decay(value: Tensor, state_unit: int) -> Tensor:
    return DECAY_ONE - _shares(value, 0.0)


def _factor(value: Tensor, state_unit: int) -> Tensor:
    return _shares(value, -1.0)


def truncate(value: Tensor, unit: int, limit: int = STATE_LIMIT) -> Tensor:
    """Returns ``trunc(unit · value)``, int32, clamped to ± ``limit``; NaN becomes 0.

    ``unit`` is a power of two, so that the product is exact.
    """
    return (value * unit).nan_to_num(0.0).clamp(-limit, limit).to(torch.int32)


def _threshold(value: Tensor, state_unit: int) -> Tensor:
    units = state_unit // WEIGHT_UNIT
    return truncate(value, WEIGHT_UNIT, PARAMETER_LIMIT // units) * units


def _grid(value: Tensor, state_unit: int) -> Tensor:
    units = state_unit // STATE_UNIT
    return truncate(value, STATE_UNIT, PARAMETER_LIMIT // units) * units


def _real(value: Tensor, state_unit: int) -> Tensor:
    return value


_VECTORS: dict[ParameterKind, Callable[[Tensor, int], Tensor]] = {
    "decay": _decay,
    "factor": _factor,
    "threshold": _threshold,
    "grid": _grid,
    "real": _real,
}

GRADIENT_SIGNS: dict[ParameterKind, int] = {"decay": -1, "factor": 1, "threshold": 1, "grid": 1}
"""Learnable kind -> the derivative of its number on the grid, as a share or in threshold units."""


def parameter_gradient(grad_N: Tensor, parameter: Tensor) -> Tensor | None:
    """Sums gradients [neurons] to the shape of ``parameter``. None if it is not learnt."""
    if not parameter.requires_grad:
        return None
    return grad_N.sum_to_size(parameter.shape) if parameter.dim() else grad_N.sum()
