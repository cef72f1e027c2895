"""The training loop, top to bottom."""

from __future__ import annotations

import math
import time
from typing import Any

from torch import nn

from netdesc.training.checkpoint import Progress, Saver
from netdesc.training.files import Metrics
from netdesc.training.interrupt import StopRequest
from netdesc.training.measure import measure
from netdesc.training.metrics import Figures, weight_fault
from netdesc.training.optimizer import set_learning_rate
from netdesc.training.progress import Display, Scale, Standing
from netdesc.training.score import Score
from netdesc.training.setup import Setup
from netdesc.training.step import build_step


class Divergence(Exception):
    """Training ran into a NaN or an infinity; the message names the epoch and the layer.

    ``epoch`` counts from 0, the message, as all that a person reads, from 1. It is −1 where the
    first weights are at fault.
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
    """Trains from ``progress``, kept up to date in place, to the last epoch or until told to stop.

    The loss, and without validation the best weights, are those before an epoch's last step: that
    is what the last batch was computed with. Raises Divergence, and StorageError where a file
    cannot be written; the checkpoint before it is then in place.
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
        reading = figures.read()  # the epoch's one wait for the device
        if reading.fault:
            raise Divergence(epoch, reading.fault)
        if setup.validation is None:
            keep_best(progress, saver, epoch, reading.loss, reading.score)
        step.update()

        row: dict[str, Any] = {"epoch": epoch, "loss": reading.loss} | accuracy(reading.score)
        score = reading.score
        if setup.validation is not None:
            value, score = measure(
                setup.graph, network, setup.loss, setup.validation, setup.new_counter()
            )
            if not math.isfinite(value):
                raise Divergence(epoch, weight_fault(network) or f"the validation loss is {value}")
            row |= {"validation_loss": value} | accuracy(score, "validation_")
            keep_best(progress, saver, epoch, value, score)
        now = time.perf_counter()
        row |= matrix(score) | {
            "seconds": round(now - began, 6),
            "learning_rate": rate,
            "gradient_norms": reading.gradient_norms,
            "spike_rates": reading.spike_rates,
        }
        metrics.append(row)
        saver.stopping.watch(row.get("validation_loss", reading.loss))
        progress.epoch, progress.last = epoch + 1, row
        progress.seconds += now - began

        is_last = progress.epoch == training.epochs or stop.requested or saver.stopping.is_over
        if display.is_due(now) or is_last:
            display.show(standing(progress, training.epochs, setup.scale), now)
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
    """Keeps the present weights where ``loss`` is the lowest so far."""
    if loss < progress.best_loss:
        progress.best_loss, progress.best_epoch = loss, epoch
        progress.best_accuracy = None if score is None else score.accuracy
        saver.best.take()


def accuracy(score: Score | None, part: str = "") -> dict[str, float]:
    """The share of right predictions as a field of ``metrics.jsonl``; none without labels."""
    return {} if score is None else {f"{part}accuracy": score.accuracy}


def matrix(score: Score | None) -> dict[str, Any]:
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


def standing(progress: Progress, epochs: int, scale: Scale) -> Standing:
    last = progress.last
    validation = last.get("validation_loss")
    watched = scale.train if validation is None else scale.validation
    return Standing(
        epoch=progress.epoch,
        epochs=epochs,
        loss=last["loss"] / scale.train,
        validation_loss=None if validation is None else validation / scale.validation,
        accuracy=last.get("validation_accuracy", last.get("accuracy")),
        best_loss=progress.best_loss / watched,
        rate=last["learning_rate"],
        unit=scale.unit,
    )
