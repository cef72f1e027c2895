"""Decides when a run ends early: its loss no longer falls, or a callback ended it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field


@dataclass
class StoppingNotes:
    """The part of ``EarlyStoppingState`` that checkpoints store."""

    reference: float = math.inf
    """The loss of the last improvement."""
    waited: Annotated[int, Field(ge=0)] = 0
    """The number of epochs since the last improvement."""
    by_callback: bool = False
    """Whether a callback has ended the run."""


@dataclass
class EarlyStoppingState:
    """Counts consecutive epochs without improvement, and stops after ``patience_epochs`` of them.

    An epoch is an improvement if its loss is more than ``min_delta`` below the loss of the last
    improvement. If ``patience_epochs`` is None, only a callback stops a run.
    """

    patience_epochs: int | None = None
    min_delta: float = 0.0
    notes: StoppingNotes = field(default_factory=StoppingNotes)

    def update(self, loss: float) -> None:
        if loss < self.notes.reference - self.min_delta:
            self.notes.reference, self.notes.waited = loss, 0
        else:
            self.notes.waited += 1

    @property
    def is_over(self) -> bool:
        patience = self.patience_epochs
        has_lost_patience = patience is not None and self.notes.waited >= patience
        return self.notes.by_callback or has_lost_patience
