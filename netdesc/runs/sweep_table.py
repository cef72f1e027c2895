"""The trials of a sweep as plain rows, from which tables and the sweep's page are written."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

TrialStatus = Literal["done", "pruned", "failed", "running", "waiting"]


@dataclass(frozen=True)
class TrialRow:
    """A trial: the ``values`` of its parameters, and its results.

    ``results`` are medians over the seeds, one for each objective of the sweep, and ``spreads``
    their ranges (highest minus lowest). A pruned trial has the results that it had by then, if any;
    ``results`` is None if there are none. ``reason`` says why a trial failed or was pruned.
    ``folders`` are its run folders, relative to the folder of the sweep, one for each seed.
    """

    number: int
    variant: str
    values: dict[str, Any]
    status: TrialStatus
    results: tuple[float, ...] | None = None
    spreads: tuple[float, ...] | None = None
    reason: str = ""
    folders: tuple[str, ...] = ()


@dataclass(frozen=True)
class SweepTable:
    """A sweep in ``folder``, named as its document.

    ``objectives`` are pairs of a metric and whether it is maximized. ``parameters`` are paths in
    the document, those of all variants. ``front`` are the numbers of the best trials: with one
    objective from the best on, with several those that no other trial beats in all of them.
    ``importance`` maps parameters to their shares in the first objective's variance; it may be
    empty. ``planned`` is the number of trials that the sweep will have.
    """

    name: str
    folder: Path
    objectives: tuple[tuple[str, bool], ...]
    parameters: tuple[str, ...]
    trials: tuple[TrialRow, ...]
    front: tuple[int, ...] = ()
    importance: dict[str, float] = field(default_factory=dict[str, float])
    planned: int = 0
