"""Learning-rate schedules. A schedule is a function of the epoch, so it has no state to save."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

LearningRateSchedule = Callable[[int], float]
"""Function of an epoch, counted from 0. Returns the learning rate of all steps of this epoch."""


def build_schedule(training: Any) -> LearningRateSchedule:
    """Builds the schedule that ``document.training`` describes.

    The schedule starts from the learning rate of the optimizer.
    """
    return _BUILDERS[training.schedule.type](
        training.schedule, training.optimizer.learning_rate, training.epochs
    )


def _constant(_schedule: Any, rate: float, _epochs: int) -> LearningRateSchedule:
    return lambda epoch: rate


def _cosine(schedule: Any, rate: float, epochs: int) -> LearningRateSchedule:
    """Returns a linear warm-up to the full rate, followed by half a cosine toward ``final_rate``.

    The cosine would reach ``final_rate`` one epoch after the last epoch, because an epoch with a
    rate of 0 would change nothing.
    """
    warmup, final = schedule.warmup_epochs, schedule.final_rate

    def at(epoch: int) -> float:
        if epoch < warmup:
            return rate * (epoch + 1) / (warmup + 1)
        done = (epoch - warmup) / max(1, epochs - warmup)
        return final + (rate - final) * 0.5 * (1.0 + math.cos(math.pi * done))

    return at


def _step(schedule: Any, rate: float, _epochs: int) -> LearningRateSchedule:
    return lambda epoch: rate * schedule.factor ** (epoch // schedule.every_epochs)


_BUILDERS: dict[str, Callable[[Any, float, int], LearningRateSchedule]] = {
    "constant": _constant,
    "cosine": _cosine,
    "step": _step,
}
