"""Starts a run from a description, or resumes a run, and trains it to its end."""

import hashlib
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from netdesc.atomic_write import is_temporary
from netdesc.data.data_checks import check_data
from netdesc.data.data_errors import DataError, MissingDataError
from netdesc.data.file_checks import CHECKED_DATA, data_stamp
from netdesc.data.memory_data import check_same_data
from netdesc.description import Description, lock_text
from netdesc.description.diagnostics.wording import amount
from netdesc.description.overrides import override_arguments
from netdesc.losses import check_same_loss
from netdesc.runs import folder, process_lock
from netdesc.runs.errors import RunError, storing
from netdesc.runs.folder import ACTIVITY, LOCK, NETWORK, is_filled, lock_of
from netdesc.runs.run_record import RunRecord, read_record
from netdesc.training.device import use_device
from netdesc.training.environment import environment, environment_changes, versions
from netdesc.training.initial_scales import found_text
from netdesc.training.loggers import require_loggers
from netdesc.training.outcome import Outcome
from netdesc.training.progress import Display, build_display
from netdesc.training.ranks import Silent
from netdesc.training.resume_changes import (
    CLIP,
    RATE,
    load_changed,
    require_epochs,
    require_same_document,
)
from netdesc.training.session import Session, open_session
from netdesc.training.setup import Setup, TrainingOptions, prepare

_ENDINGS = {
    "done": "this run is done already",
    "diverged": f"this run would diverge again unless --set changes {RATE} or {CLIP}",
}
"""Status of a run that cannot be continued -> the reason."""


def train(description: Description | None, options: TrainingOptions) -> Outcome:
    """Trains a network. Returns the outcome, with the path of the run's folder.

    With ``description``, starts a new run. With ``options.resume``, continues this run; the results
    are bit-identical to the results of a run without interruption. With ``options.overrides``, it
    goes on with other values, also if it is done. A run that began with ``options.data`` needs it
    to continue. With ``options.resume_or_start``, continues the run in ``options.run_dir`` if there
    is one, which must be that of ``description``, and otherwise starts it. All of
    ``options.ranks`` must call this; only the first one reads and writes the folder.

    The first Ctrl-C or other signal of ``STOP_SIGNALS`` ends the run after the current batch, with
    a checkpoint; while kernels are compiled, after the compiler's current pass. The second ends it
    at once. Global settings of torch are restored at the end. Raises RunError, which has an
    ``exit_code``, if the run cannot start or continue, and ValueError unless exactly one of
    ``description`` and ``options.resume`` is given.
    """
    if (description is None) == (options.resume is None):
        raise ValueError("give either a network to train or a run to resume")
    if options.resume_or_start and (description is None or options.run_dir is None):
        raise ValueError("resume_or_start needs a network and run_dir, and excludes resume")
    if description is not None and options.overrides:
        raise ValueError("overrides change a run that is resumed; load the network with them")
    ranks, silent = options.ranks, cast(Any, Silent())
    require_loggers(options.log)
    with build_display(options.progress) if ranks.is_first else nullcontext(silent) as display:
        if description is None:
            return _resume(Path(options.resume or ""), options, display)
        run = Path(options.run_dir or "")
        if not (options.resume_or_start and ranks.broadcast((run / LOCK).is_file())):
            return _start(description, options, display)
        if ranks.is_first:
            require_same_document(description, run, options.data is not None)
        return _resume(run, replace(options, resume=run), display)


def complete(run: Path, options: TrainingOptions) -> None:
    """Adds to a trial that is done its activity, test, findings, verification and ``network.net``.

    Does nothing if it has them. Waits while another process is at work on the run. RunError if
    files of it are damaged or missing.
    """
    lock_of(run)
    display = build_display(options.progress)
    with display, process_lock.reopen(run, wait=display.info):
        if is_filled(run / ACTIVITY):
            return
        record, lock = read_record(run), (run / LOCK).read_text(encoding="utf-8")
        description, _ = load_changed(run / LOCK, lock, (), check_data)
        seed = description.document.training.seed
        with use_device(record.device.type, record.engine, seed) as device:
            setup = prepare(description, device, display.warn, None, options)
            with open_session(run, setup, record, display) as session:
                session.complete(options)


def _start(description: Description, options: TrainingOptions, display: Display) -> Outcome:
    data, training, ranks = options.data, description.document.training, options.ranks
    if data is not None:
        data = data.with_defaults(description.document.data)
        description = description.without_data()
    if description.lock is not None:
        check_same_loss(description.path, description.lock.loss, options.loss)
    with use_device(options.device, options.engine, training.seed) as device:
        setup = prepare(description, device, display.warn, data, options)
        path = options.folder_for(description.document.name)
        lock, facts = _lock_text(setup, path), environment(device, ranks.size)
        if text := found_text(setup.description):
            display.info(text)
        facts["loss"] = setup.loss_name
        facts["samples"] = setup.samples
        facts["memory_data"] = None if data is None else data.record()
        labels = setup.train.samples.labels
        facts["labels_by_step"] = None if labels is None else labels.ndim == 2
        graph = setup.graph
        facts |= {"parameters": graph.parameters, "synapses": graph.synapses}
        record = RunRecord.create(
            path, name=graph.name, engine=options.engine, lock_sha256=_sha256(lock), **facts
        )
        with (
            process_lock.create(path, description.text, record.text, lock, ranks.size)
            if ranks.is_first
            else nullcontext(),
            open_session(path, setup, record, display, is_trial=options.is_trial) as session,
        ):
            if data is None and setup.ranks.is_first:
                with suppress(OSError):  # then a resumed run checks the data again
                    stamp = data_stamp(setup.description)
                    folder.write_file(path / CHECKED_DATA, stamp.encode())
            by = "" if setup.loss_name is None else f" with the loss {setup.loss_name}"
            epochs = amount(training.epochs, "epoch")
            display.info(f"training {setup.graph.name} for {epochs}{by} in {path}")
            return session.run(options)


def _resume(path: Path, options: TrainingOptions, display: Display) -> Outcome:
    with ExitStack() as stack:
        # Other machines may not see the folder.
        stored = _read_run(path, options, display, stack) if options.ranks.is_first else None
        ended, record, lock = options.ranks.broadcast(stored)
        if ended is None:
            return _continue(path, record, lock, options, display)
    display.info(f"{ended.message}; nothing was trained")
    return ended


def _read_run(
    path: Path, options: TrainingOptions, display: Display, stack: ExitStack
) -> tuple[Outcome | None, RunRecord, str]:
    """Locks the folder of a run and reads record and lock, unless it has ended with an outcome."""
    lock_of(path)
    ended = _read_outcome(path, options)
    if ended is None:
        wait = display.info if options.resume_or_start else None
        stack.enter_context(process_lock.reopen(path, options.ranks.size, wait))
        ended = _read_outcome(path, options)  # again, as no other process can change it now
    elif any(is_temporary(child.name) for child in path.iterdir()):  # of a killed report
        with suppress(RunError), process_lock.reopen(path, options.ranks.size):
            pass
    return ended, read_record(path), (path / LOCK).read_text(encoding="utf-8")


def _read_outcome(path: Path, options: TrainingOptions) -> Outcome | None:
    """Returns the outcome of the run in ``path`` if it has ended and does not go on, or None.

    A run that is done goes on if values are changed. RunError for a run that has diverged, if
    these are not among those that may prevent it.
    """
    record = read_record(path)
    if record.status not in _ENDINGS:
        return None
    lock = (path / LOCK).read_text(encoding="utf-8")
    description, changes = load_changed(path / LOCK, lock, options.overrides)
    if changes and (record.status == "done" or not {RATE, CLIP}.isdisjoint(changes)):
        return None
    message = f"{_ENDINGS[record.status]} ({record.message})"
    if changes:
        raise RunError(message)
    scale = record.scale(description.document.main_loss.reduction)
    return Outcome.of(record, path, message, scale)


def _continue(
    path: Path, record: RunRecord, lock: str, options: TrainingOptions, display: Display
) -> Outcome:
    if _sha256(lock) not in record.locks:
        raise RunError(
            f"{path / LOCK} was changed after this run began, so the run cannot be continued; "
            f"train that file to start another run"
        )
    check_same_loss(path, record.loss, options.loss, is_resumed=True)
    data = check_same_data(path, options.data, record.memory_data)
    description, changes = load_changed(path / LOCK, lock, options.overrides, check_data)
    name = record.device.type if options.device == "auto" else options.device
    engine = record.engine if options.engine == "auto" else options.engine
    with use_device(name, engine, description.document.training.seed) as device:
        setup = prepare(description, device, display.warn, data, options)
        if changes:
            lock = _lock_text(setup, path)
            for warning in description.warnings:
                options.warn(f"{warning.file}:{warning.line}: {warning.code} {warning.message}")
        is_done = record.status == "done"
        record.change_lock(_sha256(lock))
        with open_session(path, setup, record, display, is_trial=options.is_trial) as session:
            if changes:
                session.saver.stopping.by_callback = False  # it asked to end an earlier training
                require_epochs(setup.training, session.progress, session.saver.stopping, is_done)
            facts = environment(device, options.ranks.size) | {"engine": engine}
            display.info(_say_resumed(session, changes))
            for change in environment_changes(record, facts):
                effect = "the results may differ from those of a run without interruption"
                display.warn(f"{change}; {effect}")
            # Each of these writes may be the last before a kill: the record allows both locks.
            record.mark_resumed(override_arguments(options.overrides) if changes else [], facts)
            if not options.ranks.is_first:
                return session.run(options)
            if changes:
                folder.write_file(path / LOCK, lock.encode())
            if (path / NETWORK).exists():  # its weights may be no longer the best
                with storing(path / NETWORK):
                    (path / NETWORK).unlink()
            return session.run(options)


def _say_resumed(session: Session, changes: Sequence[str]) -> str:
    setup, progress = session.setup, session.progress
    epochs = amount(setup.training.epochs, "epoch")
    text = f"resuming {session.shown} after {progress.epoch:,} of {epochs}"
    if progress.batch:
        text += f" and {progress.batch:,} of {progress.batches:,} batches"
    if not changes or not progress.last:
        return text
    rate = setup.schedule(progress.epoch, progress.plateaus.count)
    last = progress.last["learning_rate"]
    return f"{text}; the learning rate goes on at {rate:.3g} (it was {last:.3g})"


def _lock_text(setup: Setup, path: Path) -> str:
    try:
        return lock_text(setup.description, path, versions(), setup.loss_name)
    except OSError as error:
        raise MissingDataError(f"{error.filename}: cannot read this file any more") from error
    except UnicodeEncodeError as error:
        raise DataError(
            f"{error.object}: {LOCK} cannot name this file, because its path is not UTF-8 text; "
            f"rename the folder or the file"
        ) from error


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
