"""``train``: from a description, or from a run that was cut short, to a run that has ended."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from netdesc.description import Description, load, lock_text
from netdesc.kernels.engine import EngineError, engine_name, one_pool, use_engine
from netdesc.runs.files import LOCK, RECORD
from netdesc.training import run_directory
from netdesc.training.device import choose_device
from netdesc.training.errors import DeviceError, MissingDataError, ResumeError
from netdesc.training.progress import Display, Style, build_display, count_epochs
from netdesc.training.randomness import seeded_rng
from netdesc.training.record import Record, changes, circumstances, versions
from netdesc.training.session import Finish, Run, open_session
from netdesc.training.setup import prepare
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
        setup = prepare(description, device, how.readers, how.display.warn)
        lock = _lock_text(description, path)
        digest, conditions = _sha256(lock), circumstances(device)
        conditions["samples"] = {
            "train": len(setup.train.samples),
            "validation": 0 if setup.validation is None else len(setup.validation.samples),
        }
        labels = setup.train.samples.labels
        conditions["labels_by_step"] = None if labels is None else labels.ndim == 2
        record = Record.new(path / RECORD, setup.graph, how.engine, digest, conditions)
        with (
            run_directory.create(path, description.text, record.text, lock),
            open_session(path, setup, digest, record, how.display) as session,
        ):
            epochs = count_epochs(setup.training.epochs)
            how.display.say(f"training {setup.graph.name} for {epochs} in {path}")
            return session.run(how.finish)


def _resume(path: Path, how: _How) -> Run:
    run_directory.require_run(path)
    ended = _ended(path, Record.read(path / RECORD))
    if ended is not None:
        how.display.say(f"{ended.message}; nothing was changed")
        return ended
    with run_directory.reopen(path):
        record = Record.read(path / RECORD)  # again, now that no other process can change it
        digest = _sha256((path / LOCK).read_text(encoding="utf-8"))
        if digest != record.fields["lock_sha256"]:
            raise ResumeError(
                f"{path / LOCK} was changed after this run began, and only the run as it was can "
                f"be continued; training anew from it starts another one"
            )
        description = load(path / LOCK)
        device = record.device if how.device == "auto" else how.device
        engine = record.engine if how.engine == "auto" else how.engine
        with (
            _machine(description, device, engine) as where,
            open_session(
                path,
                prepare(description, where, how.readers, how.display.warn),
                digest,
                record,
                how.display,
            ) as session,
        ):
            conditions = circumstances(where)
            done = session.progress.epoch
            epochs = count_epochs(description.document.training.epochs)
            how.display.say(f"resuming {path} after {done} of {epochs}")
            for change in changes(record.fields, conditions):
                how.display.warn(f"{change}; the run may not go on to the same bits")
            record.begin_again(engine, conditions)
            return session.run(how.finish)


def _ended(path: Path, record: Record) -> Run | None:
    """The run in ``path`` if there is nothing left to do in it."""
    explanations = {
        "done": "this run is done already",
        "diverged": "this run would diverge again",
    }
    fields = record.fields
    if fields["status"] not in explanations:
        return None
    message = f"{explanations[fields['status']]} ({fields['message']})"
    return Run(path, fields["status"], message, fields["best"], fields["final"])


def _lock_text(description: Description, path: Path) -> str:
    try:
        return lock_text(description, path, versions())
    except OSError as error:
        raise MissingDataError(f"{error.filename}: cannot read this file any more") from error


@contextlib.contextmanager
def _machine(description: Description, device: str, engine: str) -> Iterator[torch.device]:
    """Device, engine and random numbers of a run; the caller's settings come back after it."""
    threads = torch.get_num_threads()
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(use_engine(engine))
        except EngineError as error:
            raise DeviceError(str(error)) from error
        where = choose_device(device)
        stack.enter_context(seeded_rng(description.document.training.seed, where))
        stack.callback(torch.set_num_threads, threads)  # Numba's threads change torch's number
        if engine_name(where) == "cpu":
            stack.enter_context(one_pool())
        yield where


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
