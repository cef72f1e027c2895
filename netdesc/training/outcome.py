"""The outcome of a training, for the command or the program that called it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netdesc.runs.run_record import Finding, RunRecord, Scale
from netdesc.stop_signals import CTRL_C

EXIT_CODES = {"done": 0, "diverged": 4, "interrupted": CTRL_C}
"""Status -> the exit code of the command, unless a signal decides (``stop_signals.exit_code``)."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of a run: ``status`` is ``done``, ``diverged`` or ``interrupted``.

    ``path`` is the run's folder. ``best`` and ``final`` are the metrics of the best and of the last
    epoch, as in ``run.json``, or None if no epoch is complete. ``test`` are those of the best
    weights on the test samples, or None.
    """

    path: Path
    status: str
    message: str
    best: dict[str, Any] | None
    final: dict[str, Any] | None
    test: dict[str, Any] | None
    exit_code: int
    """The exit code of the command that trained this run: 0, 4, 75 or 130."""
    scale: Scale
    """Converts ``best`` and ``final`` to losses per sample and epochs from 1."""
    findings: Sequence[Finding] = ()
    """What was found at the end, by the call that trained. It is in ``train.log``, but was not
    printed."""

    @classmethod
    def of(cls, record: RunRecord, path: Path, message: str, scale: Scale, *more: Any) -> "Outcome":
        """Returns the outcome that ``record`` tells."""
        metrics = (record.best, record.final, record.test)
        best, final, test = (epoch and epoch.model_dump() for epoch in metrics)
        code = EXIT_CODES[record.status] if record.exit_code is None else record.exit_code
        return cls(path, record.status, message, best, final, test, code, scale, *more)
