"""Where the rows of a tensor lie, a row being all neurons in one step of one sample.

Torch's tensors are time-first. What a chain of layers keeps for itself has a sample's steps one
after the other, so that some samples' rows are a matrix, too.
"""

from __future__ import annotations

import numba

Places = tuple[int, int, int]
"""The row of step t and sample b is number ``places[0] + t · places[1] + b · places[2]``."""


def time_first(batch: int) -> Places:
    """[steps, batch]."""
    return 0, batch, 1


def sample_first(steps: int) -> Places:
    """[batch, steps]."""
    return 0, 1, steps


def alike_in_time() -> Places:
    """[batch], the same in all steps."""
    return 0, 0, 1


@numba.njit(inline="always")
def row_of(places, step, sample):
    return places[0] + step * places[1] + sample * places[2]
