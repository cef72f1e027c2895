"""Reads the state of a run from its folder, without torch and without the run's data."""

import contextlib
import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netdesc.description.diagnostics.wording import amount
from netdesc.runs.errors import RunError
from netdesc.runs.folder import CHECKPOINTS, STATE, refuse_link
from netdesc.runs.process_lock import is_at_work
from netdesc.runs.run_record import read_record

KILLED = "killed"
"""The status of a run whose record says ``running``, but whose process has ended."""


@dataclass(frozen=True)
class SavedProgress:
    """How far a run was at a checkpoint: complete epochs, and complete batches of the next one.

    As text it is such as "3 epochs and 12 of 40 batches".
    """

    epochs: int = 0
    batches: int = 0
    batches_per_epoch: int = 0

    @property
    def is_start(self) -> bool:
        """Whether nothing was trained before the checkpoint."""
        return self.epochs == self.batches == 0

    def __str__(self) -> str:
        parts = [amount(self.epochs, "epoch")] if self.epochs or not self.batches else []
        if self.batches:
            parts.append(f"{self.batches:,} of {self.batches_per_epoch:,} batches")
        return " and ".join(parts)


@dataclass(frozen=True)
class RunState:
    """The state of a run: fields of ``run.json``, and what other files say.

    ``status`` is the status in ``run.json``, or ``KILLED``. ``at_work`` says whether a process
    works on the run, None if unknown. ``checkpoint`` is the progress at the newest checkpoint, and
    ``resumes_after`` its number of complete epochs; None if the checkpoint cannot be read.
    """

    status: str
    message: str | None
    epochs_done: int
    best: dict[str, Any] | None
    at_work: bool | None
    resumes_after: int | None
    checkpoint: SavedProgress | None


def read_state(run: Path) -> RunState | None:
    """Reads the state of a run. Returns None if ``run.json`` cannot be read."""
    try:
        record = read_record(run)
    except RunError:
        return None
    at_work = is_at_work(run)
    status = KILLED if record.status == "running" and at_work is False else record.status
    best = record.best and record.best.model_dump()
    saved, done = saved_progress(run), record.epochs_done
    epochs = None if saved is None else saved.epochs
    return RunState(status, record.message, done, best, at_work, epochs, saved)


def resume_command(run: str | Path, settings: Sequence[str] = ()) -> str:
    """Returns the shell command that resumes a run, or the call if a program has data or loss.

    ``settings`` are arguments of ``--set``.
    """
    with contextlib.suppress(RunError):
        record = read_record(Path(run))
        needed = {"data": record.memory_data, "loss": record.loss}
        if arguments := [f"{name}=…" for name in needed if needed[name] is not None]:
            path = json.dumps(str(run), ensure_ascii=False)
            changes = [f"overrides={[*settings]}"] * bool(settings)
            return f"netdesc.train(resume={path}, {', '.join([*changes, *arguments])})"
    return f"netdesc train --resume {shlex.quote(str(run))} {set_arguments(settings)}".rstrip()


def saved_progress(run: Path) -> SavedProgress | None:
    """Reads the progress at the newest checkpoint.

    Returns that of the start if there is no checkpoint, None if the checkpoint cannot be read.
    """
    path = run / CHECKPOINTS / STATE
    if not path.is_file():
        return None if path.exists() else SavedProgress()
    from safetensors import SafetensorError, safe_open

    try:
        refuse_link(path)
        with safe_open(path, framework="numpy") as file:
            progress = json.loads(file.metadata()["netdesc"])["progress"]
        # A checkpoint of an older netdesc is never in the middle of an epoch.
        counts = progress["epoch"], progress.get("batch", 0), progress.get("batches", 0)
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    are_counts = all(type(count) is int and count >= 0 for count in counts)
    return SavedProgress(*counts) if are_counts else None


def set_arguments(settings: Sequence[str]) -> str:
    """Returns the arguments of a command that make these settings."""
    return " ".join(f"--set {shlex.quote(setting)}" for setting in settings)
