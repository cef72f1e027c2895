"""Trains a network, then writes ``network.net`` and ``report.html`` into the run's folder."""

import functools
import os
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from shlex import quote
from typing import Any, TypedDict, Unpack

import torch

from netdesc import machine
from netdesc.api.load import load_without_data
from netdesc.api.trained_run import Run
from netdesc.caller import warn
from netdesc.data.memory_data import MemoryData
from netdesc.data.torch_dataset import DatasetReader
from netdesc.description import Description, render_text
from netdesc.description.models import Training
from netdesc.description.overrides import Overrides
from netdesc.description.spelling import did_you_mean
from netdesc.exchange import ImportedNetwork
from netdesc.losses import LossFunction
from netdesc.report import write_report
from netdesc.runs.folder import ACTIVITY, BEST, CHECKPOINTS, INITIAL, RECORD, REPORT, is_filled
from netdesc.stop_signals import ending_at_once
from netdesc.training import train as training
from netdesc.training.joining import join
from netdesc.training.progress import Style, build_display
from netdesc.training.setup import Callback, TrainingOptions


class RareArguments(TypedDict, total=False):
    """The arguments of ``train`` that are rarely needed.

    ``engine`` names an engine; "auto", the default, chooses it by device. Unless ``ignore_memory``
    is True, a run that needs more memory than the device has free does not begin. ``overrides`` are
    values by their paths in the document, as ``netdesc.load`` takes them. With ``resume`` they
    change the run, such as ``{"training.epochs": 200}``, which trains it longer; what may change is
    ``training.epochs``, ``early_stopping``, ``schedule``, ``gradient_clip``,
    ``checkpoint_every_s``, and the ``learning_rate`` and ``weight_decay`` of the optimizer. ``log``
    names what else gets the document, the metrics of each epoch and the results: "wandb", "mlflow",
    "tensorboard", or a list of them. A run that is resumed goes on there if ``log`` is given again.
    If a service fails, training goes on without it. Without a network, set ``WANDB_MODE=offline``,
    and later ``wandb sync``, or ``MLFLOW_TRACKING_URI=sqlite:///mlflow.db``.

    With ``resume_or_start``, the run in ``run_dir`` is resumed if there is one, and else started.
    If it is done, its result is returned. RunError if it is a run of another document.

    ``loss`` takes the place of the document's main loss: the first that reads the last layer. It is
    called as ``loss(signals, target)``, with float32 signals [steps, batch, *shape] by names: the
    output of each layer by its name, and states that losses of the document read, as "layer.state".
    It returns a scalar: the sum over the samples of the batch (of a shard, with training.shards),
    or their mean if the document's loss has ``"reduction": "mean"``. Targets, prediction of
    classes, weight, other losses and regularizers stay those of the document. A run that is resumed
    or trained from its lock needs the loss again.
    """

    engine: str
    ignore_memory: bool
    loss: LossFunction | None
    log: str | Sequence[str]
    overrides: Overrides
    resume_or_start: bool


def train(
    network: Description | Mapping[str, Any] | str | Path | None = None,
    *,
    run_dir: str | Path | None = None,
    resume: str | Path | Run | None = None,
    device: str = "auto",
    progress: Style = "auto",
    data: Mapping[str, Any] | None = None,
    callbacks: Callback | Sequence[Callback] = (),
    **rare: Unpack[RareArguments],
) -> Run:
    """Trains a network, then writes ``network.net`` and ``report.html`` into the run's folder.

    ``network`` is a description, a document's path, or the document as a dict. The result of
    ``import_net`` is saved first: ``imported.save(folder)`` returns the path of its document.
    ``run_dir`` is by default a new folder below ``runs``. In place of both, ``resume`` is a run
    that was interrupted, or its folder; the results are bit-identical to those of a run without
    interruption. A run that is done goes on only with ``overrides``.

    ``data`` replaces the data that the document names: ``{"train": (inputs, labels)}``, also with
    ``"validation"`` and ``"test"``. Arrays or tensors begin with the axis of the samples: inputs
    are spikes [samples, steps, *input shape], labels integers [samples]. If the loss compares spike
    trains, targets [samples, steps, *output shape] take the place of labels, or the text
    ``"inputs"`` if they are the inputs. With ``"encoding"``, ``"range"``, ``"to"`` and
    ``"augmentation"``, which mean the same as in a document, inputs may be values [samples, *input
    shape]. A run that is resumed or evaluated needs its arrays again.

    A torch ``Dataset`` of pairs (input, label) or (input, target) may take the place of arrays, or
    a ``DataLoader``, of which the dataset is taken: batch size and order are those of the document.
    All samples need one shape. They are read once, before training begins, so that the random
    transforms of a dataset would be frozen; ``"augmentation"`` acts anew in each epoch.

    Each of ``callbacks``, or the only one, is called after each epoch with the epoch's metrics, a
    dict (see ``Run.metrics``). If it returns True, training ends after this epoch, and the run is
    done. If it raises, a checkpoint is written first, from which the run can be resumed.

    ``rare`` are engine, ignore_memory, loss, log, overrides, resume_or_start: see
    ``RareArguments``. Python warnings tell of the document, of neurons and layers that did not
    learn, and why there is no report. A run that diverged or was interrupted has a report but no
    ``network.net``. DescriptionError or RunError if the run cannot begin, TypeError if ``network``
    has another type.

    >>> network = netdesc.load("examples/oxford.json", {"training.epochs": 50})
    >>> losses = []
    >>> def stop_when_good(metrics):
    ...     losses.append(metrics["loss"])
    ...     return metrics["loss"] < 40_000
    >>> run = netdesc.train(network, callbacks=[stop_when_good], progress="quiet")
    >>> run.status, len(losses) == run.final["epoch"], run.report_path.name
    ('done', True, 'report.html')
    """
    if unknown := rare.keys() - RareArguments.__annotations__.keys():
        raise TypeError(_unknown_argument(min(unknown)))
    functions = [callbacks] if callable(callbacks) else callbacks
    if not isinstance(functions, Sequence) or not all(map(callable, functions)):
        raise TypeError(f"callbacks must be a function or a list of functions, not {callbacks!r}")
    if not isinstance(resume, str | os.PathLike | None):  # a run is a path
        raise TypeError(f"resume is a run or its folder, not {type(resume).__name__}")
    options = TrainingOptions(
        run_dir=run_dir,
        resume=None if resume is None else Path(resume),
        device=device,
        progress=progress,
        callbacks=functions,
        warn=warn,
        **rare,
    )
    if isinstance(options.log, str):
        options = replace(options, log=[options.log])
    with (
        torch.inference_mode(False),
        torch.enable_grad(),  # the caller may need no gradients
        join(options.device) as ranks,
    ):
        return train_network(network, replace(options, ranks=ranks), data)


def _unknown_argument(name: str) -> str:
    field = name if name in Training.model_fields else "epochs"
    hint = f'values of the document are set as in netdesc.load(document, {{"training.{field}": …}})'
    if name not in Training.model_fields:
        names = ("network", *(option.name for option in fields(TrainingOptions)))
        hint = did_you_mean(name, names) or hint
    return f'train() has no argument "{name}"; {hint}'


def train_network(
    network: Description | Mapping[str, Any] | str | Path | None,
    options: TrainingOptions,
    data: Mapping[str, Any] | None = None,
) -> Run:
    """Trains as ``train`` does. What was said at the start is not said again at the end.

    Of several processes, only the first one says anything and writes the report.
    """
    if not options.ranks.is_first:
        quiet: Any = {"progress": "quiet", "warn": lambda text: None, "callbacks": (), "log": ()}
        options = replace(options, **quiet)
    options = replace(options, warn=functools.cache(options.warn))
    if isinstance(network, ImportedNetwork):
        way = 'save it first: netdesc.train(imported.save("folder"), …)'
        raise TypeError(f"an imported network is no document; {way}")
    if network is not None and not isinstance(network, Description):
        network = load_without_data(network, options.overrides)
        options = replace(options, overrides=())
        if network.warnings:
            options.warn(render_text(network.warnings))
    if data is not None:
        size = 0 if network is None else network.document.training.batch_size
        with build_display(options.progress) as display:
            reader = DatasetReader(machine.free_bytes, options.warn, display.show_count, size)
            options = replace(options, data=MemoryData.of(data, reader))
    with ending_at_once():
        outcome = training.train(network, options)
    if options.ranks.is_first and not options.is_trial:
        _write_report(outcome.path, options)
    if outcome.status == "done":  # else the message has said it
        for finding in outcome.findings:
            options.warn(finding.text)
    return Run.of(outcome)


def _write_report(folder: Path, options: TrainingOptions) -> None:
    shown = (RECORD, ACTIVITY, f"{CHECKPOINTS}/{INITIAL}", f"{CHECKPOINTS}/{BEST}")
    if _time(folder / REPORT) >= max(_time(folder / name) for name in shown):
        return
    try:
        write_report(folder, warn=options.warn)
    except ValueError as error:
        way = f"to try again: netdesc report {quote(str(folder))}"
        options.warn(f"no {REPORT} is written: {error}; {way}")


def _time(path: Path) -> int:
    """Returns the time of a file's last change in ns; 0 if it is missing or empty."""
    return path.stat().st_mtime_ns if is_filled(path) else 0
