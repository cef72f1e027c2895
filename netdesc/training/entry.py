"""``train``: from a description, or from a run that was cut short, to a run that has ended."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from netdesc.description import Description, load, lock_text
from netdesc.kernels.engine import EngineError, use_engine
from netdesc.training import run_directory
from netdesc.training.device import choose_device
from netdesc.training.errors import DeviceError, ResumeError
from netdesc.training.job import own_randomness, prepare
from netdesc.training.progress import Display, Style, build_display
from netdesc.training.record import Record
from netdesc.training.session import Finish, Run, open_session
from netdesc.training.weights import Loader


def train(
    description: Description | None = None,
    *,
    run_dir: str | Path | None = None,
    resume: str | Path | None = None,
    device: str = "auto",
    engine: str = "auto",
    progress: Style = "auto",
    readers: Mapping[str, Loader] | None = None,
    finish: Finish | None = None,
) -> Run:
    """Trains a network and returns the run, whose folder holds everything about it.

    Give a ``description`` to start a run, in ``run_dir`` or in a new folder below ``runs``, or
    ``resume``, the folder of a run that was cut short, which goes on to the same bits. ``readers``
    maps suffixes of weight files to functions from a path to arrays by ``state_dict`` name;
    ``finish`` is called with folder, graph and best weights before the run is called done.

    The first Ctrl-C or SIGTERM ends the run after its epoch, with a checkpoint. Global settings of
    torch stay as they are. TrainingError, whose ``exit_code`` says of what kind.
    """
    if (description is None) == (resume is None):
        raise ValueError("give either a description to train or a run to resume")
    with build_display(progress) as display:
        how = _How(device, engine, display, readers or {}, finish)
        if description is None:
            return _resume(Path(str(resume)), how)
        path = Path(run_dir or run_directory.default_path(description.document.name))
        return _start(description, path, how)


@dataclass(frozen=True)
class _How:
    """What the caller chose that is no part of the description."""

    device: str
    engine: str
    display: Display
    readers: Mapping[str, Loader]
    finish: Finish | None


def _start(description: Description, path: Path, how: _How) -> Run:
    with _machine(description, how.device, how.engine) as device:
        job = prepare(description, device, how.readers, how.display.warn)
        lock = lock_text(description, job.digests)
        with run_directory.create(path, description.text, lock):
            record = Record.new(path / run_directory.RECORD, job.graph, how.engine, _sha256(lock))
            with open_session(path, job, _sha256(lock), record, how.display) as session:
                return session.run(how.finish)


def _resume(path: Path, how: _How) -> Run:
    ended = _ended(path)
    if ended is not None:
        how.display.say(f"{ended.message}; nothing was changed")
        return ended
    with run_directory.reopen(path):
        lock_path = path / run_directory.LOCK
        lock = lock_path.read_text(encoding="utf-8")
        record = Record.read(path / run_directory.RECORD)
        if record.fields.get("lock_sha256", _sha256(lock)) != _sha256(lock):
            raise ResumeError(
                f"{lock_path} was changed after this run began, and only the run as it was can be "
                f"continued; netdesc train {lock_path} starts a new one"
            )
        description = load(lock_path)
        device = record.device if how.device == "auto" else how.device
        engine = record.engine if how.engine == "auto" else how.engine
        with _machine(description, device, engine) as where:
            job = prepare(description, where, how.readers, how.display.warn)
            record.complete(job.graph, engine, _sha256(lock))
            with open_session(path, job, _sha256(lock), record, how.display) as session:
                return session.run(how.finish)


def _ended(path: Path) -> Run | None:
    """The run in ``path`` if there is nothing left to do in it."""
    record = Record.read(path / run_directory.RECORD).fields
    status, message = record.get("status"), record.get("message")
    if status == "done":
        message = f"this run is done already ({message})"
    elif status == "diverged":
        message = f"this run would diverge again ({message})"
    else:
        return None
    return Run(path, status, message, record.get("best"), record.get("final"))


@contextlib.contextmanager
def _machine(description: Description, device: str, engine: str) -> Iterator[torch.device]:
    """Device, engine and random numbers of a run; the caller's own come back after it."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(use_engine(engine))
        except EngineError as error:
            raise DeviceError(str(error)) from error
        where = choose_device(device)
        stack.enter_context(own_randomness(description.document.training.seed, where))
        yield where


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
