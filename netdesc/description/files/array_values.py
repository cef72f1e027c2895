"""Names shapes of arrays in messages."""

from __future__ import annotations

from collections.abc import Sequence


def join_shape(shape: Sequence[int]) -> str:
    """Returns the lengths of a shape's axes, separated by commas."""
    return ", ".join(map(str, shape))
