"""Learning rates by epoch, and when a run ends early.

Both may depend on how long the loss has not improved. Losses here are as in ``metrics.jsonl``, by
default sums over samples, so that checkpoints of every version agree. ``min_delta`` is a loss a
sample; ``divisor``, the number of samples or 1, relates the two.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from netdesc.description.models.training import (
    ConstantSchedule,
    CosineSchedule,
    EarlyStopping,
    MilestonesSchedule,
    PlateauSchedule,
    ScheduleSection,
    StepSchedule,
    Training,
)

LearningRateSchedule = Callable[[int, int], float]
"""Function of an epoch, counted from 0, and of the number of plateaus before it. Returns the
learning rate of all steps of this epoch."""


@dataclass
class Patience:
    """How long the loss has not improved. Checkpoints store it."""

    reference: float = math.inf
    """The loss of the last improvement."""
    waited: Annotated[int, Field(ge=0)] = 0
    """The number of epochs since the last improvement or plateau."""

    def wait(self, loss: float, least_fall: float) -> None:
        """Counts an epoch with this loss, which improves if it falls by more than this."""
        if loss < self.reference - least_fall:
            self.reference, self.waited = loss, 0
        else:
            self.waited += 1


@dataclass
class Plateaus(Patience):
    """The plateaus of the loss so far."""

    count: Annotated[int, Field(ge=0)] = 0

    def update(self, loss: float, schedule: ScheduleSection, divisor: int) -> None:
        """Counts an epoch with this loss. Does nothing for a schedule without plateaus."""
        rule = schedule.plateaus
        if rule is None:
            return
        self.wait(loss, rule.min_delta * divisor)
        if self.waited == rule.patience_epochs:
            self.count, self.waited = self.count + 1, 0


@dataclass
class Stopping(Patience):
    """Whether the run ends early: its loss no longer falls, or a callback ended it."""

    by_callback: bool = False

    def update(self, loss: float, early: EarlyStopping | None, divisor: int) -> None:
        """Counts an epoch with this loss. Does nothing without early stopping."""
        if early is not None:
            self.wait(loss, early.min_delta * divisor)

    def is_over(self, early: EarlyStopping | None) -> bool:
        return self.by_callback or (early is not None and self.waited >= early.patience_epochs)


def build_schedule(training: Training) -> LearningRateSchedule:
    """Builds the schedule of a document, from the learning rate of the optimizer on."""
    schedule, rate, epochs = training.schedule, training.learning_rate, training.epochs
    rate_at = _RATES[type(schedule)]
    return lambda epoch, plateaus: rate_at(schedule, rate, epoch, plateaus, epochs)


def _cosine(schedule: Any, rate: float, epoch: int, _plateaus: int, epochs: int) -> float:
    """Returns a linear warm-up to the full rate, followed by half a cosine toward ``final_rate``.

    The cosine would reach ``final_rate`` one epoch after the last epoch, because an epoch with a
    rate of 0 would change nothing.
    """
    warmup, final = schedule.warmup_epochs, schedule.final_rate
    if epoch < warmup:
        return rate * (epoch + 1) / (warmup + 1)
    progress = (epoch - warmup) / max(1, epochs - warmup)
    return final + (rate - final) * 0.5 * (1.0 + math.cos(math.pi * progress))


_RATES: dict[type[ScheduleSection], Callable[[Any, float, int, int, int], float]] = {
    ConstantSchedule: lambda schedule, rate, epoch, plateaus, _: rate,
    CosineSchedule: _cosine,
    StepSchedule: lambda schedule, rate, epoch, plateaus, _: (
        rate * schedule.factor ** (epoch // schedule.every_epochs)
    ),
    MilestonesSchedule: lambda schedule, rate, epoch, plateaus, _: (
        rate * schedule.factor ** sum(epoch >= end for end in schedule.epochs)
    ),
    PlateauSchedule: lambda schedule, rate, epoch, plateaus, _: max(
        min(rate, schedule.final_rate), rate * schedule.factor**plateaus
    ),
}
"""Class of a schedule -> its rate, from the rate of the optimizer and the number of epochs."""
