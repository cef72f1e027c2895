"""What an operator is told of its neurons besides tensors with a number for each."""

from __future__ import annotations

from typing import Any

from torch import Tensor

_NUMBERS = 4


def split_off_tau(scalars: list[Any]) -> tuple[list[Any], Tensor | None]:
    """Threshold, width, scale and delay; and ``tau``, which torch leaves out where it is None."""
    return scalars[:_NUMBERS], scalars[_NUMBERS] if len(scalars) > _NUMBERS else None
