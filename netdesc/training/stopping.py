"""Early stopping: ends a run whose loss no longer falls."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass
class EarlyStopping:
    """Counts consecutive epochs whose loss is not lower than the best one by ``min_delta``.

    It never stops a run if ``patience_epochs`` is None. The checkpoint keeps ``reference``, the
    loss of the last improvement, and ``waited``, the count.
    """

    patience_epochs: int | None = None
    min_delta: float = 0.0
    reference: float = math.inf
    waited: int = 0

    def update(self, loss: float) -> None:
        if loss < self.reference - self.min_delta:
            self.reference, self.waited = loss, 0
        else:
            self.waited += 1

    @property
    def is_over(self) -> bool:
        return self.patience_epochs is not None and self.waited >= self.patience_epochs
