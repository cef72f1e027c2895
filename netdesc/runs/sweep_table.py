"""The trials of a sweep as plain rows, from which tables and the sweep's page are written."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

TrialStatus = Literal["done", "pruned", "failed", "running", "waiting"]


@dataclass(frozen=True)
class TrialRow:
    """A trial: the ``values`` of its parameters, and its results.

    ``results`` are medians over the seeds, one for each objective, and ``spreads`` their ranges
    (highest minus lowest); a pruned trial may have those that it had by then. ``reason`` says why a
    trial failed or was pruned. ``folders`` are its run folders, relative to that of the sweep.
    """

    number: int
    variant: str
    values: dict[str, Any]
    status: TrialStatus
    results: tuple[float, ...] | None = None
    spreads: tuple[float, ...] | None = None
    reason: str = ""
    folders: tuple[str, ...] = ()

    @property
    def has_ended(self) -> bool:
        return self.status in ("done", "pruned", "failed")


@dataclass(frozen=True)
class SweepTable:
    """A sweep in ``folder``, named as its document, of which ``planned`` trials will be.

    ``objectives`` are pairs of a metric and whether it is maximized, ``parameters`` paths in the
    document. ``front`` are the numbers of the trials that no other trial beats, or of the best.
    ``importance`` maps parameters to shares of the first objective's variance; it may be empty.
    """

    name: str
    folder: Path
    objectives: tuple[tuple[str, bool], ...]
    parameters: tuple[str, ...]
    trials: tuple[TrialRow, ...]
    front: tuple[int, ...] = ()
    importance: dict[str, float] = field(default_factory=dict[str, float])
    planned: int = 0
