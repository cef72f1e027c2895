"""Reads the state of a run from its folder, without torch and without the run's data."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netdesc.runs.files import BEST, CHECKPOINTS, LAST, LOCK, PROCESS_LOCK, RECORD, STATE, is_filled
from netdesc.runs.utf8_path import utf8_path

KILLED = "killed"
"""The status of a run whose record says ``running``, but whose process has ended."""


@dataclass(frozen=True)
class RunState:
    """The state of a run: fields of ``run.json``, and two fields that come from other files.

    ``status`` is the status in ``run.json``, or ``KILLED``. ``at_work`` says whether a process
    works on the run, None if unknown. ``resumes_after`` is the number of complete epochs in the
    newest checkpoint, None if the checkpoint cannot be read.
    """

    status: str
    message: str | None
    epochs_done: int | None
    best: dict[str, Any] | None
    at_work: bool | None
    resumes_after: int | None


def read_state(run: Path) -> RunState | None:
    """Reads the state of a run. Returns None if ``run.json`` cannot be read."""
    record = _read_record(run)
    if record is None:
        return None
    at_work = is_at_work(run)
    status = str(record.get("status"))
    return RunState(
        status=KILLED if status == "running" and at_work is False else status,
        message=record.get("message"),
        epochs_done=record.get("epochs_done"),
        best=record.get("best"),
        at_work=at_work,
        resumes_after=saved_epochs(run),
    )


def _read_record(run: Path) -> dict[str, Any] | None:
    if not (run / RECORD).is_file():  # opening a pipe may wait for ever
        return None
    try:
        record = json.loads((run / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def resume_command(run: str | Path) -> str:
    """Returns the shell command that resumes a run, or the call if its data were in memory."""
    record = _read_record(Path(run))
    if record is not None and record.get("memory_data") is not None:  # its program has the data
        return f"netdesc.train(resume={json.dumps(str(run), ensure_ascii=False)}, data=…)"
    return f"netdesc train --resume {shlex.quote(str(run))}"


def restart_hint(run: Path) -> str:
    """Returns the end of a message: how a new run begins with its weights."""
    anew = f"netdesc train {shlex.quote(str(run / LOCK))}"
    for kind, name in (("last", LAST), ("best", BEST)):
        weights = run / CHECKPOINTS / name
        if is_filled(weights):
            way = f"{anew} --set weights.path={shlex.quote(str(weights))}"
            return f"its {kind} weights can begin a new run: {way}"
    return f"its weights are gone, too; a new run begins with: {anew}"


def saved_epochs(run: Path) -> int | None:
    """Reads the number of complete epochs in the newest checkpoint.

    Returns 0 if there is no checkpoint, None if the checkpoint cannot be read.
    """
    path = run / CHECKPOINTS / STATE
    if not path.is_file():
        return None if path.exists() else 0
    from safetensors import SafetensorError, safe_open

    try:
        with utf8_path(path) as readable, safe_open(readable, framework="numpy") as file:
            epoch = json.loads(file.metadata()["netdesc"])["progress"]["epoch"]
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return epoch if type(epoch) is int and epoch >= 0 else None


def is_at_work(run: Path) -> bool | None:
    """Whether a process holds the lock of the run's folder; None if unknown, as on Windows."""
    if sys.platform == "win32":
        return None
    import fcntl

    if not (run / PROCESS_LOCK).is_file():  # as in a copy of the folder; a pipe may wait for ever
        return False
    try:
        with (run / PROCESS_LOCK).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    return False
