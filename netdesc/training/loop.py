"""The training loop, from the first epoch to the last."""

from __future__ import annotations

import math
import time
from typing import Any

from torch import nn

from netdesc.training.checkpoint import Progress, Saver
from netdesc.training.confusion_counter import Score
from netdesc.training.evaluate import measure
from netdesc.training.interrupt import StopRequest
from netdesc.training.metrics import Figures, weight_fault
from netdesc.training.optimizer import set_learning_rate
from netdesc.training.progress import Display, RunStatus, Scale
from netdesc.training.run_logs import Metrics
from netdesc.training.setup import Setup
from netdesc.training.step import build_step


class Divergence(Exception):
    """Training ran into a NaN or an infinity; the message names the epoch and the layer.

    ``epoch`` counts from 0 and is −1 where the initial weights are at fault. The message, like all
    that users read, counts from 1.
    """

    def __init__(self, epoch: int, fault: str) -> None:
        when = "training cannot begin" if epoch < 0 else f"training diverged in epoch {epoch + 1}"
        super().__init__(f"{when}: {fault}")
        self.epoch = epoch


def fit(
    setup: Setup,
    progress: Progress,
    saver: Saver,
    metrics: Metrics,
    display: Display,
    stop: StopRequest,
) -> None:
    """Trains from ``progress``, which it updates, to the last epoch or until ``stop`` is requested.

    The loss and, without validation, the best weights are those before an epoch's last step, as the
    last batch was computed with these. Raises Divergence, and StorageError where a file cannot be
    written; the last checkpoint is then still in place.
    """
    network, optimizer, training = setup.network, setup.optimizer, setup.training
    figures = Figures(network, setup.new_counter())
    warned: set[str] = set()
    step = build_step(setup, figures, display.say)
    network.train()
    schedules = [block.neuron.tau_schedule for _, block in network.blocks()]
    widths_move = any(schedule.kind != "constant" for schedule in schedules)
    network.set_tau_grad(0.0)

    for epoch in range(progress.epoch, training.epochs):
        if stop.requested or saver.stopping.is_over:
            break
        record_snapshot(saver, network, epoch)
        began = time.perf_counter()
        rate = setup.rate(epoch)
        set_learning_rate(optimizer, rate)
        if widths_move:
            network.set_tau_grad(epoch / max(1, training.epochs - 1))
        is_first = True
        for batch in setup.train.shuffled(epoch):
            if not is_first:
                step.update()
            step.compute_gradients(batch)
            is_first = False
        epoch_metrics = figures.read()  # the epoch's one wait for the device
        if epoch_metrics.fault:
            raise Divergence(epoch, epoch_metrics.fault)
        if setup.validation is None:
            keep_best(progress, saver, epoch, epoch_metrics.loss, epoch_metrics.score)
        step.update()

        score = epoch_metrics.score
        row: dict[str, Any] = {"epoch": epoch, "loss": epoch_metrics.loss} | accuracy_field(score)
        if setup.validation is not None:
            value, score = measure(
                setup.graph, network, setup.loss, setup.validation, setup.new_counter()
            )
            if not math.isfinite(value):
                raise Divergence(epoch, weight_fault(network) or f"the validation loss is {value}")
            row |= {"validation_loss": value} | accuracy_field(score, "validation_")
            keep_best(progress, saver, epoch, value, score)
        now = time.perf_counter()
        row |= confusion_fields(score) | {
            "seconds": round(now - began, 6),
            "learning_rate": rate,
            "gradient_norms": epoch_metrics.gradient_norms,
            "spike_rates": epoch_metrics.spike_rates,
        }
        metrics.append(row)
        saver.stopping.watch(row.get("validation_loss", epoch_metrics.loss))
        progress.epoch, progress.last = epoch + 1, row
        progress.seconds += now - began

        is_last = progress.epoch == training.epochs or stop.requested or saver.stopping.is_over
        if display.is_due(now) or is_last:
            display.show(run_status(progress, training.epochs, setup.scale), now)
            metrics.flush()
            for layer in set(setup.beyond_device()) - warned:
                warned.add(layer)
                display.warn(f'a state of layer "{layer}" is beyond the 24 bits of the device')
        if saver.is_due(now):
            save(setup, progress, saver, metrics)
    record_snapshot(saver, network, progress.epoch)
    save(setup, progress, saver, metrics)


def keep_best(
    progress: Progress, saver: Saver, epoch: int, loss: float, score: Score | None
) -> None:
    """Keeps the weights as the best ones if ``loss`` is the lowest so far."""
    if loss < progress.best_loss:
        progress.best_loss, progress.best_epoch = loss, epoch
        progress.best_accuracy = None if score is None else score.accuracy
        saver.best.take()


def accuracy_field(score: Score | None, part: str = "") -> dict[str, float]:
    """The share of right predictions as a field of ``metrics.jsonl``; none without labels."""
    return {} if score is None else {f"{part}accuracy": score.accuracy}


def confusion_fields(score: Score | None) -> dict[str, Any]:
    """The confusion matrix as fields of ``metrics.jsonl``, where it is small enough."""
    if score is None or score.confusion is None:
        return {}
    return {
        "confusion": score.confusion,
        "undecided": score.undecided,
        "undecided_by_label": score.undecided_by_label,
    }


def record_snapshot(saver: Saver, network: nn.Module, epoch: int) -> None:
    """Records the output after ``epoch`` complete epochs, if the report shows that epoch."""
    if saver.activity.wants_frame(epoch):
        saver.activity.take_frame(epoch, network.state_dict())


def save(setup: Setup, progress: Progress, saver: Saver, metrics: Metrics) -> None:
    """Writes a checkpoint of sound weights; Divergence where they are not."""
    fault = weight_fault(setup.network)
    if fault:
        raise Divergence(progress.epoch - 1, fault)
    saver.save(progress, metrics.sync())


def run_status(progress: Progress, epochs: int, scale: Scale) -> RunStatus:
    """The status after the last complete epoch, with losses on a reader's ``scale``."""
    last = progress.last
    validation = last.get("validation_loss")
    watched = scale.train if validation is None else scale.validation
    return RunStatus(
        epoch=progress.epoch,
        epochs=epochs,
        loss=last["loss"] / scale.train,
        validation_loss=None if validation is None else validation / scale.validation,
        accuracy=last.get("validation_accuracy", last.get("accuracy")),
        best_loss=progress.best_loss / watched,
        rate=last["learning_rate"],
        unit=scale.unit,
    )
