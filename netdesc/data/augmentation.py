"""Changes the inputs of training samples at random (``data.augmentation``)."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netdesc.description.models.augmentation import (
    Augmentation,
    DropEvents,
    SpatialShift,
    TimeJitter,
    TimeShift,
)

Sample = NDArray[np.float32]
"""The inputs of one sample, [steps, *input shape]."""


def augment(
    input_TBN: NDArray[np.float32], augmentation: Augmentation, rng: np.random.Generator
) -> None:
    """Changes inputs [steps, samples, *input shape] in place.

    Numbers are drawn sample by sample, so that the result does not depend on the batch size.
    """
    for number in range(input_TBN.shape[1]):
        sample = input_TBN[:, number]
        for each in augmentation:
            sample = _CHANGES[type(each)](sample, each, rng)
        input_TBN[:, number] = sample


def _shift(sample: Sample, axis: int, steps: int) -> Sample:
    """Moves a sample along an axis; what leaves it is lost, and zeros follow."""
    moved = np.zeros_like(sample)
    kept = max(0, sample.shape[axis] - abs(steps))
    at: list[list[slice]] = [[slice(None)] * sample.ndim, [slice(None)] * sample.ndim]
    at[steps < 0][axis] = slice(abs(steps), abs(steps) + kept)
    at[steps >= 0][axis] = slice(0, kept)
    moved[tuple(at[0])] = sample[tuple(at[1])]
    return moved


def _time_shift(sample: Sample, section: Any, rng: np.random.Generator) -> Sample:
    return _shift(sample, 0, _draw(section.max_steps, rng))


def _spatial_shift(sample: Sample, section: Any, rng: np.random.Generator) -> Sample:
    for axis in range(max(1, sample.ndim - 2), sample.ndim):
        sample = _shift(sample, axis, _draw(section.max_pixels, rng))
    return sample


def _drop_events(sample: Sample, section: Any, rng: np.random.Generator) -> Sample:
    values = sample.flatten()
    events = np.flatnonzero(values != 0)
    values[events[rng.random(len(events)) < section.probability]] = 0
    return values.reshape(sample.shape)


def _time_jitter(sample: Sample, section: Any, rng: np.random.Generator) -> Sample:
    moved = sample.flatten()
    at = np.flatnonzero(moved != 0)
    value, steps = moved[at], (-section.max_steps, section.max_steps)
    at += rng.integers(*steps, len(at), endpoint=True) * (moved.size // len(sample))
    # The largest magnitude is assigned last, so that it stays where values meet.
    order = np.argsort(np.abs(value), kind="stable")
    order = order[(at[order] >= 0) & (at[order] < moved.size)]
    moved[:] = 0
    moved[at[order]] = value[order]
    return moved.reshape(sample.shape)


def _draw(limit: int, rng: np.random.Generator) -> int:
    return int(rng.integers(-limit, limit, endpoint=True))


_CHANGES: dict[type, Callable[[Sample, Any, np.random.Generator], Sample]] = {
    TimeShift: _time_shift,
    SpatialShift: _spatial_shift,
    DropEvents: _drop_events,
    TimeJitter: _time_jitter,
}
