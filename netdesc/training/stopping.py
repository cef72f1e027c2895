"""When to stop before the last epoch."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass
class EarlyStopping:
    """Counts epochs in which the watched loss did not fall by more than ``min_delta``.

    ``patience_epochs`` None never stops. ``reference`` and ``waited`` are all its memory and go
    into the checkpoint.
    """

    patience_epochs: int | None = None
    min_delta: float = 0.0
    reference: float = math.inf
    waited: int = 0

    def watch(self, loss: float) -> None:
        if loss < self.reference - self.min_delta:
            self.reference, self.waited = loss, 0
        else:
            self.waited += 1

    @property
    def is_over(self) -> bool:
        return self.patience_epochs is not None and self.waited >= self.patience_epochs
