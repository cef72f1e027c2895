"""Decides when a run ends early: its loss no longer falls, or a callback ended it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from netdesc.description.models.training import EarlyStopping


@dataclass
class Stopping:
    """What decides whether a run ends early. Checkpoints store it.

    ``early`` is the section ``training.early_stopping``; without it, only a callback ends a run.
    """

    reference: float = math.inf
    """The loss of the last improvement."""
    waited: Annotated[int, Field(ge=0)] = 0
    """The number of epochs since the last improvement."""
    by_callback: bool = False
    """Whether a callback has ended the run."""

    def update(self, loss: float, early: EarlyStopping | None) -> None:
        """Counts an epoch with this loss. Does nothing without early stopping."""
        if early is None:
            return
        if loss < self.reference - early.min_delta:
            self.reference, self.waited = loss, 0
        else:
            self.waited += 1

    def is_over(self, early: EarlyStopping | None) -> bool:
        return self.by_callback or (early is not None and self.waited >= early.patience_epochs)
