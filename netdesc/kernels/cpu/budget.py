"""How much memory kernels take for a layer, beside its activity and gradients of weights."""

from __future__ import annotations

import sys

_MOST = 2.3
"""Times the activity, that all of it may take with the gradients of weights."""

_OUTGROWN = 1.25
"""Gradients of more numbers than so many times the activity are most of the memory, whatever else
takes less than it might."""

_HEAVY = 0.5, 1.3
"""Those of a single layer matter from so many times its activity to so many: other layers may have
fewer weights."""


def are_heavy(gradients: int, activity: int) -> bool:
    """Whether a layer's gradients of weights have it take less than it might for all else."""
    least, most = _HEAVY
    return least * activity < gradients <= most * activity


def left_beside(gradients: int, times: float, activity: int) -> int:
    """Numbers that threads may take beside gradients of weights and ``times`` the activity.

    Both are those of a network, or of a single layer for what is done for it alone. Where the
    gradients have outgrown the activity there is no limit.
    """
    if gradients > _OUTGROWN * activity:
        return sys.maxsize
    return round((_MOST - times) * activity) - gradients
