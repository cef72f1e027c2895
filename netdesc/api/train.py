"""Trains a network, then writes ``network.net`` and ``report.html`` into the run's folder."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import Any, NamedTuple, TypedDict, Unpack

import torch

from netdesc.api.compile import weight_readers
from netdesc.api.load import load
from netdesc.api.trained_run import Run
from netdesc.data.memory_data import MemoryData
from netdesc.description import Description, render_text
from netdesc.description.models import Training
from netdesc.description.spelling import did_you_mean
from netdesc.exchange import ImportedNetwork, NetFileError, export_net, find_obstacle
from netdesc.exchange.errors import NetFileAccessError
from netdesc.exchange.verification import verify_shortly
from netdesc.graph import Graph, build_graph
from netdesc.hardware import HardwareError
from netdesc.modules import Network, build
from netdesc.report import write_report
from netdesc.runs.errors import RunError, StorageError
from netdesc.runs.folder import (
    ACTIVITY,
    BEST,
    CHECKPOINTS,
    INITIAL,
    NETWORK,
    RECORD,
    REPORT,
    is_filled,
    lock_of,
)
from netdesc.training import train as training
from netdesc.training.callbacks import Callback
from netdesc.training.progress import Style
from netdesc.training.session import Hooks, Sample


class RareOptions(TypedDict, total=False):
    """The arguments of ``train`` that few users need."""

    engine: str
    ignore_memory: bool


class Settings(NamedTuple):
    """The arguments of ``train`` besides the network, which its docstring explains."""

    run_dir: str | Path | None = None
    resume: str | Path | Run | None = None
    device: str = "auto"
    progress: Style = "auto"
    data: Mapping[str, Any] | None = None
    callbacks: Sequence[Callback] = ()
    engine: str = "auto"
    ignore_memory: bool = False


def train(
    network: Description | Mapping[str, Any] | str | Path | None = None,
    *,
    run_dir: str | Path | None = None,
    resume: str | Path | Run | None = None,
    device: str = "auto",
    progress: Style = "auto",
    data: Mapping[str, Any] | None = None,
    callbacks: Callback | Sequence[Callback] = (),
    **rare: Unpack[RareOptions],
) -> Run:
    """Trains a network, then writes ``network.net`` and ``report.html`` into the run's folder.

    ``network`` is a description, a document's path, or the document as a dict. The result of
    ``import_net`` is saved first: ``imported.save(folder)`` returns the path of its document.
    ``run_dir`` is by default a new folder below ``runs``. In place of both, ``resume`` is a run
    that was interrupted, or its folder; the results are bit-identical to those of a run without
    interruption. A run that is done is not changed.

    ``data`` replaces the data that the document names: ``{"train": (inputs, labels)}``, also with
    ``"validation"`` and ``"test"``. Arrays or tensors begin with the axis of the samples: inputs
    are spikes [samples, steps, *input shape], labels integers [samples]. If the loss compares spike
    trains, targets [samples, steps, *output shape] take the place of labels, or the text
    ``"inputs"`` if they are the inputs. With ``"encoding"``, ``"range"``, ``"to"`` and
    ``"augmentation"``, which mean the same as in a document, inputs may be values [samples, *input
    shape]. A run that is resumed or evaluated needs its arrays again.

    Each of ``callbacks``, or the only one, is called after each epoch with the epoch's metrics, a
    dict (see ``Run.metrics``). If it returns True, training ends after this epoch, and the run is
    done. If it raises, a checkpoint is written first, so that the run can be resumed after this
    epoch.

    ``engine`` names an engine (``auto`` chooses by device). Unless ``ignore_memory``, a run that
    needs more memory than the device has free does not begin. What is doubtful about a document
    that is read here, layers that did not spike or learn in the last epoch, and reasons why there
    is no ``.net`` file or report, are given as Python warnings. A run that diverged or was
    interrupted has a report but no ``network.net``. DescriptionError or TrainingError if the run
    cannot begin, TypeError if ``network`` has another type.

    >>> network = netdesc.load("examples/oxford.json", {"training.epochs": 50})
    >>> losses = []
    >>> def stop_when_good(metrics):
    ...     losses.append(metrics["loss"])
    ...     return metrics["loss"] < 40_000
    >>> run = netdesc.train(network, callbacks=[stop_when_good], progress="quiet")
    >>> run.status, len(losses) == run.final["epoch"], run.report_path.name
    ('done', True, 'report.html')
    """
    if unknown := rare.keys() - RareOptions.__annotations__.keys():
        raise TypeError(_unknown_argument(min(unknown)))
    functions = [callbacks] if callable(callbacks) else callbacks
    if not isinstance(functions, Sequence) or not all(callable(each) for each in functions):
        raise TypeError(f"callbacks must be a function or a list of functions, not {callbacks!r}")
    settings = Settings(run_dir, resume, device, progress, data, functions, **rare)
    with torch.inference_mode(False), torch.enable_grad():  # the caller may need no gradients
        return train_network(network, settings, functools.partial(warnings.warn, stacklevel=3))


def _unknown_argument(name: str) -> str:
    """Returns the message about an argument that ``train`` does not have."""
    field = name if name in Training.model_fields else "epochs"
    hint = f'values of the document are set as in netdesc.load(document, {{"training.{field}": …}})'
    if name not in Training.model_fields:
        hint = did_you_mean(name, ("network", *Settings._fields)) or hint
    return f'train() has no argument "{name}"; {hint}'


def train_network(
    network: Description | Mapping[str, Any] | str | Path | None,
    settings: Settings,
    warn: Callable[[str], None],
) -> Run:
    """Trains as ``train`` does, and calls ``warn`` in place of Python's warnings.

    What was said at the start is not said again at the end.
    """
    warn = functools.cache(warn)
    resume, data = _folder(settings.resume), settings.data
    memory = None if data is None else MemoryData.of(data)
    if isinstance(network, ImportedNetwork):
        way = 'save it first: netdesc.train(imported.save("folder"), …)'
        raise TypeError(f"an imported network is no document; {way}")
    if network is not None and not isinstance(network, Description):
        network = load(network, with_files=memory is None)
        if network.warnings:
            warn(render_text(network.warnings))
    trained = network
    if resume is not None:
        trained = load(lock_of(resume), with_files=False)
    readers = {} if trained is None else weight_readers(build_graph(trained.document))
    outcome = training.train(
        network,
        run_dir=settings.run_dir,
        resume=resume,
        device=settings.device,
        engine=settings.engine,
        progress=settings.progress,
        data=memory,
        hooks=Hooks(
            readers,
            functools.partial(_begin, warn),
            settings.callbacks,
            functools.partial(_finish, warn),
            settings.ignore_memory,
        ),
    )
    _write_report(outcome.path, warn)
    for warning in outcome.warnings:
        warn(warning)
    return Run.of(outcome)


def _folder(run: str | Path | Run | None) -> Path | None:
    """Returns the folder of the run that is resumed. TypeError for other types."""
    if isinstance(run, Run):
        return run.path
    if not isinstance(run, str | Path | None):
        raise TypeError(f"resume is a run or its folder, not {type(run).__name__}")
    return None if run is None else Path(run)


def _begin(warn: Callable[[str], None], network: Network) -> None:
    """Warns at the start of a run, and not after hours of training, if it cannot be exported."""
    if obstacle := find_obstacle(network):
        warn(_no_network(obstacle))


def _no_network(problem: str) -> str:
    return f"no {NETWORK} is written: {problem}"


def _finish(
    warn: Callable[[str], None],
    folder: Path,
    graph: Graph,
    weights: dict[str, torch.Tensor],
    sample: Sample | None,
) -> dict[str, Any] | None:
    """Writes the export of a run. Returns the record of its verification on the sample."""
    model = build(graph)
    model.load_state_dict(weights)
    exported, problem = folder / NETWORK, ""
    try:
        for warning in export_net(model, exported):
            warn(warning)
    except NetFileAccessError as error:
        raise StorageError(str(error)) from error
    except NetFileError as error:
        exported, problem = None, error.problem
        warn(_no_network(problem))
    if sample is None:
        return None
    model.to(sample.input_TN.device)
    try:
        found = verify_shortly(model, exported, *sample)
    except HardwareError:  # weights that are real numbers, or a norm that the device lacks
        return None
    return replace(found, export_problem=problem).record


def _write_report(folder: Path, warn: Callable[[str], None]) -> None:
    """Writes the report of a run, unless it is newer than the files that it shows."""
    shown = (RECORD, ACTIVITY, f"{CHECKPOINTS}/{INITIAL}", f"{CHECKPOINTS}/{BEST}")
    if _time(folder / REPORT) >= max(_time(folder / name) for name in shown):
        return
    try:
        write_report(folder, warn=warn)
    except RunError as error:
        warn(f"no {REPORT} is written: {error}; to try again: netdesc report {quote(str(folder))}")


def _time(path: Path) -> int:
    """Returns the time of a file's last change in ns; 0 if it is missing or empty."""
    return path.stat().st_mtime_ns if is_filled(path) else 0
