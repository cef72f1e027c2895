"""Starts a run from a description, or resumes a run, and trains it to its end."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from netdesc.data.data_errors import DataError, MissingDataError
from netdesc.data.memory_data import MemoryData, check_same_data
from netdesc.data.randomness import seeded_rng
from netdesc.description import Description, load, lock_text
from netdesc.description.diagnostics.wording import amount
from netdesc.kernels.engine import EngineError, engine_name, torch_on_one_thread, use_engine
from netdesc.runs import folder
from netdesc.runs.errors import RunError
from netdesc.runs.folder import LOCK, lock_of
from netdesc.runs.run_record import RunRecord, read_record
from netdesc.training.device import choose_device
from netdesc.training.environment import environment, environment_changes, versions
from netdesc.training.errors import DeviceUnavailableError
from netdesc.training.heap import keep_freed_memory
from netdesc.training.progress import Display, Style, build_display
from netdesc.training.session import Hooks, Outcome, open_session
from netdesc.training.setup import Setup, prepare


def train(
    description: Description | None = None,
    *,
    run_dir: str | Path | None = None,
    resume: str | Path | None = None,
    device: str = "auto",
    engine: str = "auto",
    progress: Style = "auto",
    data: MemoryData | None = None,
    hooks: Hooks | None = None,
) -> Outcome:
    """Trains a network. Returns the outcome, with the path of the run's folder.

    With ``description``, starts a new run in the folder ``run_dir``, by default a new folder below
    ``runs``. With ``resume``, the folder of an interrupted run, continues this run; the results
    are bit-identical to the results of a run without interruption. ``data`` replaces the data that
    the document names; a run that began with it needs it to continue.

    The first Ctrl-C or SIGTERM ends the run after the current epoch, with a checkpoint; while
    kernels are compiled, after the compiler's current pass. The second ends it at once. Global
    settings of torch are restored at the end. Raises TrainingError, which has an ``exit_code``, if
    the run cannot start or continue, and ValueError unless exactly one of ``description`` and
    ``resume`` is given.
    """
    if (description is None) == (resume is None):
        raise ValueError("give either a network to train or a run to resume")
    with build_display(progress) as display:
        hooks = hooks or Hooks()
        options = _Options(device, engine, display, data, hooks)
        if description is None:
            return _resume(Path(str(resume)), options)
        path = Path(run_dir or folder.default_path(description.document.name))
        return _start(description, path, options)


@dataclass(frozen=True)
class _Options:
    """The caller's choices that are not part of the description."""

    device: str
    engine: str
    display: Display
    data: MemoryData | None
    hooks: Hooks


def _start(description: Description, path: Path, options: _Options) -> Outcome:
    data = options.data
    if data is not None:
        data = data.with_defaults(description.document.data)
        description = description.without_data()
    with _use_device(description, options.device, options.engine) as device:
        setup = _prepare(description, device, options, data)
        lock, facts = _lock_text(description, path), environment(device)
        facts["samples"] = {
            "train": len(setup.train.samples),
            "validation": 0 if setup.validation is None else len(setup.validation.samples),
        }
        facts["memory_data"] = None if data is None else data.record()
        labels = setup.train.samples.labels
        facts["labels_by_step"] = None if labels is None else labels.ndim == 2
        graph = setup.graph
        facts |= {"parameters": graph.parameters, "synapses": graph.synapses}
        record = RunRecord.create(
            path, name=graph.name, engine=options.engine, lock_sha256=_sha256(lock), **facts
        )
        with (
            folder.create(path, description.text, record.text, lock),
            open_session(path, setup, record, options.display) as session,
        ):
            epochs = amount(setup.training.epochs, "epoch")
            options.display.info(f"training {setup.graph.name} for {epochs} in {path}")
            options.hooks.begin(setup.network)
            return session.run(options.hooks)


def _prepare(
    description: Description, device: torch.device, options: _Options, data: MemoryData | None
) -> Setup:
    hooks, warn = options.hooks, options.display.warn
    check_memory = not hooks.ignore_memory
    return prepare(description, device, hooks.readers, warn, data, check_memory=check_memory)


_EXPLANATIONS = {"done": "this run is done already", "diverged": "this run would diverge again"}


def _resume(path: Path, options: _Options) -> Outcome:
    lock_of(path)
    ended = _read_outcome(path)
    if ended is None:
        with folder.reopen(path):
            ended = _read_outcome(path)  # again, as no other process can change it now
            if ended is None:
                return _continue(path, options)
    options.display.info(f"{ended.message}; nothing was trained")
    return ended


def _read_outcome(path: Path) -> Outcome | None:
    """Returns the outcome of the run in ``path`` if it is done or has diverged, otherwise None."""
    record = read_record(path)
    if record.status not in _EXPLANATIONS:
        return None
    message = f"{_EXPLANATIONS[record.status]} ({record.message})"
    scale = record.scale(load(path / LOCK).document.main_loss.reduction)
    best, final = (each and each.model_dump() for each in (record.best, record.final))
    return Outcome(path, record.status, message, best, final, scale)


@contextlib.contextmanager
def _prepare_again(path: Path, options: _Options) -> Iterator[tuple[Setup, RunRecord]]:
    """Prepares the training of a run whose folder is locked, on the device of the run."""
    record = read_record(path)
    if _sha256((path / LOCK).read_text(encoding="utf-8")) != record.lock_sha256:
        raise RunError(
            f"{path / LOCK} was changed after this run began, so the run cannot be continued; "
            f"train that file to start another run"
        )
    data = check_same_data(path, options.data, record.memory_data)
    description = load(path / LOCK)
    device = record.device.type if options.device == "auto" else options.device
    engine = record.engine if options.engine == "auto" else options.engine
    with _use_device(description, device, engine) as used_device:
        yield _prepare(description, used_device, options, data), record


def _continue(path: Path, options: _Options) -> Outcome:
    """Trains a run that was interrupted, and whose folder is locked, to its end."""
    with (
        _prepare_again(path, options) as (setup, record),
        open_session(path, setup, record, options.display) as session,
    ):
        epochs, done = amount(setup.training.epochs, "epoch"), session.progress.epoch
        options.display.info(f"resuming {path} after {done} of {epochs}")
        facts = environment(setup.device)
        for change in environment_changes(record, facts):
            options.display.warn(
                f"{change}; the results may differ from those of a run without interruption"
            )
        engine = record.engine if options.engine == "auto" else options.engine
        record.mark_resumed(engine, facts)
        return session.run(options.hooks)


def _lock_text(description: Description, path: Path) -> str:
    try:
        return lock_text(description, path, versions())
    except OSError as error:
        raise MissingDataError(f"{error.filename}: cannot read this file any more") from error
    except UnicodeEncodeError as error:
        raise DataError(
            f"{error.object}: {LOCK} cannot name this file, because its path is not UTF-8 text; "
            f"rename the folder or the file"
        ) from error


@contextlib.contextmanager
def _use_device(description: Description, device: str, engine: str) -> Iterator[torch.device]:
    """Sets engine and seed for the block, and restores the settings after it. Yields the device.

    Raises DeviceUnavailableError if device or engine is not available.
    """
    threads = torch.get_num_threads()
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(use_engine(engine))
        except EngineError as error:
            raise DeviceUnavailableError(str(error)) from error
        chosen = choose_device(device)
        stack.enter_context(seeded_rng(description.document.training.seed, chosen))
        stack.callback(torch.set_num_threads, threads)  # Numba changes torch's number of threads
        if engine_name(chosen) == "cpu":
            stack.enter_context(torch_on_one_thread())
            stack.enter_context(keep_freed_memory())
        yield chosen


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
