"""How a run stands, by what its folder holds, for whoever shows it or goes on with it.

Loads nothing heavy: a run can be looked at where neither torch nor its data is there.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netdesc.runs.files import CHECKPOINTS, HOLDER, RECORD, STATE

KILLED = "killed"
"""A run that is noted as running, and on which no process works."""


@dataclass(frozen=True)
class RunState:
    """``status`` is that of ``run.json``, or ``KILLED``; the other fields are as they stand there.

    ``at_work`` tells whether a process works on the run, None where nobody can tell.
    ``resumes_after`` counts the epochs with which resuming begins, None where that is not known.
    """

    status: str
    message: str | None
    epochs_done: int | None
    best: dict[str, Any] | None
    at_work: bool | None
    resumes_after: int | None


def read_state(run: Path) -> RunState | None:
    """The state of a run; None where its record cannot be read."""
    try:
        record = json.loads((run / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(record, dict):
        return None
    pid = record.get("pid")
    at_work = is_at_work(run, pid if type(pid) is int else None)
    status = str(record.get("status"))
    return RunState(
        status=KILLED if status == "running" and at_work is False else status,
        message=record.get("message"),
        epochs_done=record.get("epochs_done"),
        best=record.get("best"),
        at_work=at_work,
        resumes_after=saved_epochs(run),
    )


def resume_command(run: str | Path) -> str:
    """What goes on with a run, for a shell."""
    return f"netdesc train --resume {shlex.quote(str(run))}"


def saved_epochs(run: Path) -> int | None:
    """How many epochs the checkpoint holds from which a run goes on; 0 where there is none yet.

    None where it cannot be read.
    """
    path = run / CHECKPOINTS / STATE
    if not path.exists():
        return 0
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            epoch = json.loads(file.metadata()["netdesc"])["progress"]["epoch"]
    except (SafetensorError, OSError, ValueError, KeyError, TypeError):
        return None
    return epoch if type(epoch) is int and epoch >= 0 else None


def is_at_work(run: Path, pid: int | None) -> bool | None:
    """Whether a process still works on the run; None where that cannot be told.

    The lock of the folder tells; in a copy without it, the id of the process does, which may by
    now be another's.
    """
    if sys.platform == "win32":
        return None
    holder = run / HOLDER
    return _is_held(holder) if holder.is_file() else _is_alive(pid)


def _is_held(holder: Path) -> bool | None:
    import fcntl

    try:
        with holder.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    return False


def _is_alive(pid: int | None) -> bool | None:
    if pid is None or not 0 < pid < 1 << 31:
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
