"""Decides when a run ends early: its loss no longer falls, or a callback ended it."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass
class EarlyStoppingState:
    """Counts consecutive epochs without improvement, and stops after ``patience_epochs`` of them.

    An epoch is an improvement if its loss is more than ``min_delta`` below ``reference``, which is
    the loss of the last improvement. ``waited`` is the number of epochs since then. If
    ``patience_epochs`` is None, only a callback stops a run. Checkpoints store ``reference``,
    ``waited`` and ``by_callback``.
    """

    patience_epochs: int | None = None
    min_delta: float = 0.0
    reference: float = math.inf
    waited: int = 0
    by_callback: bool = False
    """Whether a callback has ended the run."""

    def update(self, loss: float) -> None:
        if loss < self.reference - self.min_delta:
            self.reference, self.waited = loss, 0
        else:
            self.waited += 1

    @property
    def is_over(self) -> bool:
        has_lost_patience = self.patience_epochs is not None and self.waited >= self.patience_epochs
        return self.by_callback or has_lost_patience
