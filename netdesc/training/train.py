"""Starts a run from a description, or resumes a run, and trains it to its end."""

import hashlib
from pathlib import Path

from netdesc.data.data_checks import check_data
from netdesc.data.data_errors import DataError, MissingDataError
from netdesc.data.memory_data import check_same_data
from netdesc.description import Description, load, lock_text
from netdesc.description.diagnostics.wording import amount
from netdesc.description.load import check, require_valid
from netdesc.exchange import find_obstacle
from netdesc.runs import folder
from netdesc.runs.errors import RunError
from netdesc.runs.folder import LOCK, lock_of
from netdesc.runs.run_record import RunRecord, read_record
from netdesc.training.device import use_device
from netdesc.training.environment import environment, environment_changes, versions
from netdesc.training.initial_scales import found_text
from netdesc.training.progress import Display, build_display
from netdesc.training.session import Outcome, no_network, open_session
from netdesc.training.setup import TrainingOptions, prepare

_ENDINGS = {"done": "this run is done already", "diverged": "this run would diverge again"}
"""Status of a run that cannot be continued -> the reason."""


def train(description: Description | None, options: TrainingOptions) -> Outcome:
    """Trains a network. Returns the outcome, with the path of the run's folder.

    With ``description``, starts a new run. With ``options.resume``, continues this run; the results
    are bit-identical to the results of a run without interruption. A run that began with
    ``options.data`` needs it to continue.

    The first Ctrl-C or SIGTERM ends the run after the current epoch, with a checkpoint; while
    kernels are compiled, after the compiler's current pass. The second ends it at once. Global
    settings of torch are restored at the end. Raises RunError, which has an ``exit_code``, if
    the run cannot start or continue, and ValueError unless exactly one of ``description`` and
    ``options.resume`` is given.
    """
    if (description is None) == (options.resume is None):
        raise ValueError("give either a network to train or a run to resume")
    with build_display(options.progress) as display:
        if description is not None:
            return _start(description, options, display)
        assert options.resume is not None
        return _resume(options.resume, options, display)


def _start(description: Description, options: TrainingOptions, display: Display) -> Outcome:
    path = Path(options.run_dir or folder.default_path(description.document.name))
    data, training = options.data, description.document.training
    if data is not None:
        data = data.with_defaults(description.document.data)
        description = description.without_data()
    with use_device(options.device, options.engine, training.seed) as device:
        setup = prepare(
            description, device, display.warn, data, check_memory=not options.ignore_memory
        )
        lock, facts = _lock_text(setup.description, path), environment(device)
        if text := found_text(setup.description):
            display.info(text)
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
            folder.create(path, description.text, record.text, lock),
            open_session(path, setup, record, display) as session,
        ):
            display.info(
                f"training {setup.graph.name} for {amount(training.epochs, 'epoch')} in {path}"
            )
            if obstacle := find_obstacle(setup.network):  # said now, not after hours of training
                options.warn(no_network(obstacle))
            return session.run(options)


def _resume(path: Path, options: TrainingOptions, display: Display) -> Outcome:
    lock_of(path)
    ended = _read_outcome(path)
    if ended is None:
        with folder.reopen(path):
            ended = _read_outcome(path)  # again, as no other process can change it now
            if ended is None:
                return _continue(path, options, display)
    display.info(f"{ended.message}; nothing was trained")
    return ended


def _read_outcome(path: Path) -> Outcome | None:
    """Returns the outcome of the run in ``path`` if it is done or has diverged, otherwise None."""
    record = read_record(path)
    if record.status not in _ENDINGS:
        return None
    message = f"{_ENDINGS[record.status]} ({record.message})"
    scale = record.scale(load(path / LOCK).document.main_loss.reduction)
    return Outcome.of(record, path, message, scale)


def _continue(path: Path, options: TrainingOptions, display: Display) -> Outcome:
    record = read_record(path)
    if _sha256((path / LOCK).read_text(encoding="utf-8")) != record.lock_sha256:
        raise RunError(
            f"{path / LOCK} was changed after this run began, so the run cannot be continued; "
            f"train that file to start another run"
        )
    data = check_same_data(path, options.data, record.memory_data)
    description = require_valid(check(path / LOCK, check_files=check_data))
    name = record.device.type if options.device == "auto" else options.device
    engine = record.engine if options.engine == "auto" else options.engine
    with use_device(name, engine, description.document.training.seed) as device:
        setup = prepare(
            description, device, display.warn, data, check_memory=not options.ignore_memory
        )
        with open_session(path, setup, record, display) as session:
            epochs, done = amount(setup.training.epochs, "epoch"), session.progress.epoch
            display.info(f"resuming {path} after {done} of {epochs}")
            facts = environment(device)
            for change in environment_changes(record, facts):
                display.warn(
                    f"{change}; the results may differ from those of a run without interruption"
                )
            record.mark_resumed(engine, facts)
            return session.run(options)


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


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
