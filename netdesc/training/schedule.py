"""Learning rate schedules: pure functions of the epoch, so that resuming needs no state."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

Schedule = Callable[[int], float]
"""Maps an epoch, from 0, to the learning rate of all its steps."""


def build_schedule(training: Any) -> Schedule:
    """The schedule that ``document.training`` describes, on top of its optimizer's rate."""
    return _BUILDERS[training.schedule.type](
        training.schedule, training.optimizer.learning_rate, training.epochs
    )


def _constant(_schedule: Any, rate: float, _epochs: int) -> Schedule:
    return lambda epoch: rate


def _cosine(schedule: Any, rate: float, epochs: int) -> Schedule:
    """Linear warm-up to the full rate, then half a cosine toward ``final_rate``.

    The cosine would end one epoch after the last one, so that a final rate of 0 wastes none.
    """
    warmup, final = schedule.warmup_epochs, schedule.final_rate

    def at(epoch: int) -> float:
        if epoch < warmup:
            return rate * (epoch + 1) / (warmup + 1)
        done = (epoch - warmup) / max(1, epochs - warmup)
        return final + (rate - final) * 0.5 * (1.0 + math.cos(math.pi * done))

    return at


def _step(schedule: Any, rate: float, _epochs: int) -> Schedule:
    return lambda epoch: rate * schedule.factor ** (epoch // schedule.every_epochs)


_BUILDERS: dict[str, Callable[[Any, float, int], Schedule]] = {
    "constant": _constant,
    "cosine": _cosine,
    "step": _step,
}
