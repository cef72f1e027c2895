"""Starts a run from a description, or resumes a run, and trains it to its end."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from netdesc.data.data_errors import DataError, MissingDataError
from netdesc.data.memory_data import MemoryData, check_same_data
from netdesc.data.randomness import seeded_rng
from netdesc.description import Description, load, lock_text
from netdesc.description.diagnostics.wording import amount
from netdesc.graph import Graph, build_graph
from netdesc.kernels.engine import EngineError, engine_name, torch_on_one_thread, use_engine
from netdesc.modules import build
from netdesc.runs.files import BEST, CHECKPOINTS, LOCK, LOG, NETWORK, RECORD, STATE, is_filled
from netdesc.training import run_directory
from netdesc.training.device import choose_device
from netdesc.training.ended_run import find_missing, read_outcome
from netdesc.training.errors import DeviceUnavailableError, ResumeError
from netdesc.training.heap import keep_freed_memory
from netdesc.training.progress import Display, Style, build_display
from netdesc.training.record import RunRecord, environment, environment_changes, versions
from netdesc.training.run_logs import Log
from netdesc.training.session import Hooks, Outcome, build_saver, open_session
from netdesc.training.setup import Setup, prepare
from netdesc.training.weights import load_weights


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
        path = Path(run_dir or run_directory.default_path(description.document.name))
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
        record = RunRecord.create(path / RECORD, setup.graph, options.engine, _sha256(lock), facts)
        with (
            run_directory.create(path, description.text, record.text, lock),
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


def _resume(path: Path, options: _Options) -> Outcome:
    run_directory.require_run(path)
    ended = read_outcome(path)
    if ended is None:
        with run_directory.reopen(path):
            ended = read_outcome(path)  # again, as no other process can change it now
            if ended is None:
                return _continue(path, options)
    return _complete(ended, options)


def _complete(ended: Outcome, options: _Options) -> Outcome:
    """Writes the files that a run lacks although it is done. Nothing else is changed."""
    path, display, finish = ended.path, options.display, options.hooks.finish
    writable, lost = [], []
    if ended.status == "done":
        writable, lost = find_missing(path, with_network=finish is not None)
    if lost:
        display.warn(f"{path} has lost files that cannot be written again: {', '.join(lost)}")
    if not writable:
        run_directory.remove_temporary_files(path)
        display.info(f"{ended.message}; nothing was trained")
        return ended
    with run_directory.reopen(path), Log(path / LOG) as log:
        display.attach_log(log)
        graph, best = _restore_files(path, options)
        if finish is not None and NETWORK in writable:
            finish(path, graph, best, None)
        # Some networks fit no network.net, which is then not written.
        written = ", ".join(name for name in writable if is_filled(path / name))
        found = f"these files were missing: {written}" if written else "nothing was trained"
        display.info(f"{ended.message}; {found}")
    return ended


def _restore_files(path: Path, options: _Options) -> tuple[Graph, dict[str, torch.Tensor]]:
    """Writes missing weights and activity from ``last.state``; without it, nothing.

    Returns the graph and the best weights.
    """
    if is_filled(path / CHECKPOINTS / STATE):
        hooks = replace(options.hooks, ignore_memory=True)  # nothing is trained
        with _prepare_again(path, replace(options, hooks=hooks)) as (setup, record):
            saver = build_saver(path, setup, record)
            progress, _ = saver.restore(has_trained=True)
            saver.write_missing(progress)
            return setup.graph, saver.best.tensors
    _check_lock(path, RunRecord.read(path / RECORD))
    graph = build_graph(load(path / LOCK, with_files=False).document)
    network = build(graph)
    load_weights(path / CHECKPOINTS / BEST, network, {})
    return graph, dict(network.state_dict())


def _check_lock(path: Path, record: RunRecord) -> None:
    """ResumeError unless ``network.lock.json`` has the recorded SHA-256."""
    if _sha256((path / LOCK).read_text(encoding="utf-8")) != record.fields["lock_sha256"]:
        raise ResumeError(
            f"{path / LOCK} was changed after this run began, so the run cannot be continued; "
            f"train that file to start another run"
        )


@contextlib.contextmanager
def _prepare_again(path: Path, options: _Options) -> Iterator[tuple[Setup, RunRecord]]:
    """Prepares the training of a run whose folder is locked, on the device of the run."""
    record = RunRecord.read(path / RECORD)
    _check_lock(path, record)
    data = check_same_data(path, options.data, record.fields.get("memory_data"))
    description = load(path / LOCK)
    fields = record.fields
    device = fields["device"]["type"] if options.device == "auto" else options.device
    engine = fields["engine"] if options.engine == "auto" else options.engine
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
        for change in environment_changes(record.fields, facts):
            options.display.warn(
                f"{change}; the results may differ from those of a run without interruption"
            )
        engine = record.fields["engine"] if options.engine == "auto" else options.engine
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
