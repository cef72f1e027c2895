"""Learning-rate schedules: functions of the epoch, and of the plateaus of the loss before it."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from netdesc.description.models import PlateauSchedule

LearningRateSchedule = Callable[[int, int], float]
"""Function of an epoch, counted from 0, and of the number of plateaus before it. Returns the
learning rate of all steps of this epoch."""


@dataclass
class Plateaus:
    """The plateaus of the loss so far. Checkpoints store them."""

    count: Annotated[int, Field(ge=0)] = 0
    reference: float = math.inf
    """The loss of the last improvement."""
    waited: Annotated[int, Field(ge=0)] = 0
    """The number of epochs since the last improvement or plateau."""

    def update(self, loss: float, schedule: Any) -> None:
        """Counts an epoch with this loss. Does nothing for a schedule without plateaus."""
        if not isinstance(schedule, PlateauSchedule):
            return
        if loss < self.reference - schedule.min_delta:
            self.reference, self.waited = loss, 0
            return
        self.waited += 1
        if self.waited == schedule.patience_epochs:
            self.count, self.waited = self.count + 1, 0


def build_schedule(training: Any) -> LearningRateSchedule:
    """Builds the schedule of ``document.training``, from the learning rate of the optimizer on."""
    return _BUILDERS[training.schedule.type](
        training.schedule, training.optimizer.learning_rate, training.epochs
    )


def _constant(_schedule: Any, rate: float, _epochs: int) -> LearningRateSchedule:
    return lambda epoch, plateaus: rate


def _cosine(schedule: Any, rate: float, epochs: int) -> LearningRateSchedule:
    """Returns a linear warm-up to the full rate, followed by half a cosine toward ``final_rate``.

    The cosine would reach ``final_rate`` one epoch after the last epoch, because an epoch with a
    rate of 0 would change nothing.
    """
    warmup, final = schedule.warmup_epochs, schedule.final_rate

    def at(epoch: int, _plateaus: int) -> float:
        if epoch < warmup:
            return rate * (epoch + 1) / (warmup + 1)
        done = (epoch - warmup) / max(1, epochs - warmup)
        return final + (rate - final) * 0.5 * (1.0 + math.cos(math.pi * done))

    return at


def _step(schedule: Any, rate: float, _epochs: int) -> LearningRateSchedule:
    return lambda epoch, plateaus: rate * schedule.factor ** (epoch // schedule.every_epochs)


def _milestones(schedule: Any, rate: float, _epochs: int) -> LearningRateSchedule:
    return lambda epoch, plateaus: rate * schedule.factor ** bisect_right(schedule.epochs, epoch)


def _plateau(schedule: Any, rate: float, _epochs: int) -> LearningRateSchedule:
    lowest = min(rate, schedule.final_rate)
    return lambda epoch, plateaus: max(lowest, rate * schedule.factor**plateaus)


_BUILDERS: dict[str, Callable[[Any, float, int], LearningRateSchedule]] = {
    "constant": _constant,
    "cosine": _cosine,
    "step": _step,
    "milestones": _milestones,
    "plateau": _plateau,
}
