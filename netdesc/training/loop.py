"""The training loop over epochs and batches. The module ``step`` computes a single batch."""

import contextlib
import copy
import functools
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

from netdesc.runs.errors import RunError
from netdesc.runs.metrics_file import MetricsFile, rank
from netdesc.training.evaluate import Score, build_counter, measure
from netdesc.training.interrupt import StopRequest
from netdesc.training.metrics import Divergence, EpochMetricsSum, non_finite_weight
from netdesc.training.optimizer import set_learning_rate
from netdesc.training.progress import Display
from netdesc.training.saver import Progress, Saver
from netdesc.training.setup import Callback, Setup
from netdesc.training.step import build_step


def fit(
    setup: Setup,
    progress: Progress,
    saver: Saver,
    metrics: MetricsFile,
    display: Display,
    stop: StopRequest,
    watch: Callable[[int], None],
    callbacks: Sequence[Callback] = (),
) -> None:
    """Trains from ``progress`` on, until the last epoch, early stopping or ``stop``.

    Updates ``progress`` after each epoch. The metrics of an epoch are read before its last update
    of the weights, because its last batch was computed with the weights before that update. Without
    validation, these weights become the best weights if ``setup.best_by`` is the best so far; with
    validation, those that were validated do. After each epoch, ``watch`` is called with the number
    of epochs, then each of ``callbacks``; if one returns True, training ends there. Schedules and
    early stopping watch the loss.

    Raises Divergence if a number is NaN or infinite, StorageError if a file cannot be written. In
    both cases the last checkpoint stays on the disk. If a callback raises, a checkpoint is written
    before the exception is passed on.
    """
    network, optimizer, training = setup.network, setup.optimizer, setup.training
    scale = setup.scale
    new_counter = functools.partial(build_counter, setup.graph, setup.loss, setup.device)
    epoch_sum = EpochMetricsSum(network, new_counter())
    warned_layers: set[str] = set()
    step = build_step(setup, epoch_sum, display.info)
    network.train()

    for epoch in range(progress.epoch, training.epochs):
        if stop.requested or saver.stopping.is_over(training.early_stopping):
            break
        saver.activity.record_frame(epoch, network)
        began = time.perf_counter()
        rate = setup.schedule(epoch, progress.plateaus.count)
        set_learning_rate(optimizer, rate)
        network.set_tau_grad(epoch / max(1, training.epochs - 1))
        is_first = True
        for (batch,) in setup.train.shuffled(epoch):
            if not is_first:
                step.update()
            step.compute_gradients(batch)
            is_first = False
            del batch  # before the next one takes as much memory
        epoch_metrics = epoch_sum.read_and_reset()  # waits for the device once per epoch
        if epoch_metrics.non_finite:
            raise Divergence(epoch, epoch_metrics.non_finite)
        score = epoch_metrics.score
        row: dict[str, Any] = {"epoch": epoch, "loss": epoch_metrics.loss} | score_fields(score)
        if setup.validation is None:
            update_best(progress, saver, row, setup.best_by)
        step.update()

        if len(epoch_metrics.terms) > 1:
            row["loss_terms"] = epoch_metrics.terms
        if setup.validation is not None:
            value, score = measure(network, setup.loss, setup.validation, new_counter())
            if not math.isfinite(value):
                cause = non_finite_weight(network) or f"the validation loss is {value}"
                raise Divergence(epoch, cause)
            row |= {"validation_loss": value} | score_fields(score, "validation_")
            update_best(progress, saver, row, setup.best_by)
        now = time.perf_counter()
        row |= confusion_fields(score) | {
            "seconds": round(now - began, 6),
            "learning_rate": rate,
            "gradient_norms": epoch_metrics.gradient_norms,
            "spike_rates": epoch_metrics.spike_rates,
        }
        metrics.append(row)
        watched = row.get("validation_loss", epoch_metrics.loss)
        saver.stopping.update(watched, training.early_stopping, scale.validation)
        progress.plateaus.update(watched, training.schedule, scale.validation)
        progress.epoch, progress.last = epoch + 1, row
        progress.seconds += now - began
        watch(progress.epoch)
        call_back(callbacks, setup, progress, saver, metrics)

        is_stopped = stop.requested or saver.stopping.is_over(training.early_stopping)
        is_last = is_stopped or progress.epoch == training.epochs
        if display.is_due(now) or is_last:
            best = setup.best_by, scale.shown(progress.best)[setup.best_by]
            display.show(scale.shown(row), best, training.epochs, scale.unit, now)
            metrics.flush()
            for layer in network.engine_report():
                if layer.leaves_device_range and layer.name not in warned_layers:
                    warned_layers.add(layer.name)
                    text = f'a state of layer "{layer.name}" is beyond the 24 bits of the device'
                    display.warn(text)
        if saver.is_due(now):
            save(setup, progress, saver, metrics)
    saver.activity.record_frame(progress.epoch, network)
    save(setup, progress, saver, metrics)


def call_back(
    callbacks: Sequence[Callback],
    setup: Setup,
    progress: Progress,
    saver: Saver,
    metrics: MetricsFile,
) -> None:
    """Calls each of ``callbacks`` with the metrics of the last epoch.

    Training ends if one returns True. If one raises, a checkpoint is written if that is possible.
    TypeError unless each returns None or a boolean of Python, numpy or torch.
    """
    try:
        for callback in callbacks:
            answer: Any = callback(copy.deepcopy(setup.scale.shown(progress.last)))
            if getattr(answer, "ndim", None) == 0:  # a number of numpy or torch
                answer = answer.item()
            if answer is not None and not isinstance(answer, bool):
                name = getattr(callback, "__name__", type(callback).__name__)
                way = "it must return True to end training, or else False or None"
                raise TypeError(f"the callback {name} returned {answer!r}; {way}")
            saver.stopping.by_callback |= bool(answer)
    except BaseException:  # Ctrl-C, too, as the epoch is complete; it is passed on
        with contextlib.suppress(Divergence, RunError):
            save(setup, progress, saver, metrics)
        raise


def update_best(progress: Progress, saver: Saver, row: dict[str, Any], metric: str) -> None:
    """Stores a copy of the weights if the epoch of ``row`` is the best so far by ``metric``.

    More metrics can be added to ``row``.
    """
    if not progress.best or rank(row, metric) < rank(progress.best, metric):
        progress.best = row
        saver.best.copy_weights()


def score_fields(score: Score | None, part: str = "") -> dict[str, float]:
    """Returns accuracy and confidence, if there are any, as fields of ``metrics.jsonl``."""
    if score is None:
        return {}
    return {f"{part}accuracy": score.accuracy, f"{part}confidence": score.confidence}


def confusion_fields(score: Score | None) -> dict[str, Any]:
    """Returns the confusion matrix, if there is one, as fields of ``metrics.jsonl``."""
    if score is None or score.confusion is None:
        return {}
    return {
        "confusion": score.confusion,
        "undecided": score.undecided,
        "undecided_by_label": score.undecided_by_label,
    }


def save(setup: Setup, progress: Progress, saver: Saver, metrics: MetricsFile) -> None:
    """Writes a checkpoint. Writes nothing and raises Divergence if a weight is NaN or too large."""
    cause = non_finite_weight(setup.network)
    if cause:
        raise Divergence(progress.epoch - 1, cause)
    saver.save(progress, metrics.sync())
