"""The training loop over epochs and batches. The module ``step`` computes a single batch."""

import contextlib
import copy
import math
import time
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from netdesc.data.batches import Batches
from netdesc.runs.errors import RunError
from netdesc.runs.metrics_file import MetricsFile, rank
from netdesc.training.evaluate import Counter, Score, build_counter, measure
from netdesc.training.interrupt import Interrupted, StopRequest
from netdesc.training.metrics import Divergence, EpochMetricsSum, non_finite_weight
from netdesc.training.optimizer import set_learning_rate
from netdesc.training.progress import Display
from netdesc.training.saver import Progress, Saver
from netdesc.training.setup import Callback, Setup
from netdesc.training.step import build_step


@dataclass(eq=False)
class TrainingLoop:
    """Trains from ``progress`` on, until the last epoch, early stopping or a signal.

    Updates ``progress`` after each batch and each epoch. The metrics of an epoch are read before
    its last update of the weights, because its last batch was computed with the weights before that
    update. Without validation, these weights become the best weights if ``setup.best_by`` is the
    best so far; with validation, those that were validated do. After each epoch, ``watch`` is
    called with the number of epochs, then each of ``callbacks``; if one returns True, training ends
    there. Schedules and early stopping watch the loss.
    """

    setup: Setup
    progress: Progress
    saver: Saver
    metrics: MetricsFile
    display: Display
    stop: StopRequest
    watch: Callable[[int], None]
    callbacks: Sequence[Callback] = ()

    def __post_init__(self) -> None:
        self._epoch_sum = EpochMetricsSum(self.setup.network, self._new_counter())
        self._step = build_step(self.setup, self._epoch_sum, self.display.info)
        self._warned_layers: set[str] = set()
        self._began = time.perf_counter() - self.progress.epoch_seconds

    def run(self) -> None:
        """Trains to the end, and writes a checkpoint there.

        Raises Interrupted after a signal, once a checkpoint is written; Divergence if a number is
        NaN or infinite; StorageError if a file cannot be written. In the last two cases the last
        checkpoint stays on the disk. If a callback raises, a checkpoint is written before the
        exception is passed on.
        """
        setup, progress = self.setup, self.progress
        progress.batches = len(setup.train)
        if self.saver.epoch_sums:
            self._epoch_sum.load(self.saver.epoch_sums)
        setup.network.train()
        while not self._is_complete:
            if not progress.batch:
                self.saver.activity.record_frame(progress.epoch, setup.network)
            self._began = time.perf_counter() - progress.epoch_seconds
            rate = setup.schedule(progress.epoch, progress.plateaus.count)
            set_learning_rate(setup.optimizer, rate)
            setup.network.set_tau_grad(progress.epoch / max(1, setup.training.epochs - 1))
            score = None
            if not progress.row:
                self._train_batches()
                score = self._end_training(rate)
            if setup.validation is not None:
                score = self._validate(setup.validation)
            self._end_epoch(score)
        if not progress.batch:  # else a run ends here since its document wants fewer epochs
            self.saver.activity.record_frame(progress.epoch, setup.network)
        self._save()

    @property
    def _is_complete(self) -> bool:
        """Whether training is at its end: all epochs, early stopping, or a callback's wish."""
        training = self.setup.training
        is_over = self.saver.stopping.is_over(training.early_stopping)
        return is_over or self.progress.epoch >= training.epochs

    def _new_counter(self) -> Counter | None:
        return build_counter(self.setup.graph, self.setup.loss, self.setup.device)

    def _agree(self, now: float) -> tuple[int, int]:
        """Returns the signal after which all processes stop, 0 if none, and if a save is due. A
        process acts on what is returned only: a signal that arrives in here counts next time."""
        ranks = self.setup.ranks
        is_due = ranks.is_first and self.saver.is_due(now)
        return divmod(ranks.agree(2 * self.stop.signal + is_due), 2)

    def _train_batches(self) -> None:
        """Trains the epoch's remaining batches, without the update that follows the last one."""
        progress, step = self.progress, self._step
        remaining = self.setup.train.shuffled(progress.epoch, progress.batch)
        with contextlib.closing(remaining):  # also after an error: it may have a thread
            for shards in remaining:
                step.compute_gradients(shards)
                del shards  # before the next one takes as much memory
                if progress.batch + 1 < progress.batches:
                    step.update()
                    progress.batch += 1
                    signal, is_due = self._agree(time.perf_counter())
                    if signal or is_due:
                        self._save_or_stop(signal)

    def _end_training(self, rate: float) -> Score | None:
        """Reads the metrics of the epoch's batches, and makes the last update."""
        setup, progress = self.setup, self.progress
        epoch_metrics = self._epoch_sum.read_and_reset()  # waits for the device once per epoch
        if epoch_metrics.non_finite:
            raise Divergence(progress.epoch, epoch_metrics.non_finite)
        score = epoch_metrics.score
        progress.row = {"epoch": progress.epoch, "loss": epoch_metrics.loss} | score_fields(score)
        if setup.validation is None:
            self._update_best()
        self._step.update()
        progress.batch += 1
        if len(epoch_metrics.terms) > 1:
            progress.row["loss_terms"] = epoch_metrics.terms
        progress.row |= {
            "learning_rate": rate,
            "gradient_norms": epoch_metrics.gradient_norms,
            "spike_rates": epoch_metrics.spike_rates,
        }
        return score

    def _validate(self, validation: Batches) -> Score | None:
        """Measures the validation samples. After a signal, resuming begins with this again."""
        setup, progress = self.setup, self.progress
        questions = len(validation) // setup.ranks.size - 1  # as many in each process

        def stop_between_batches(*_: object) -> None:
            nonlocal questions
            questions -= 1
            if questions >= 0 and (signal := self._agree(-math.inf)[0]):
                raise Interrupted(signal)

        try:
            counter = self._new_counter()
            value, score = measure(
                setup.network, setup.loss, validation, counter, stop_between_batches, setup.ranks
            )
        except Interrupted:
            self._save()
            raise
        if not math.isfinite(value):
            cause = non_finite_weight(setup.network) or f"the validation loss is {value}"
            raise Divergence(progress.epoch, cause)
        progress.row |= {"validation_loss": value} | score_fields(score, "validation_")
        self._update_best()
        return score

    def _end_epoch(self, score: Score | None) -> None:
        """Writes the epoch's line, and counts the epoch. Interrupted after a signal."""
        setup, progress, saver = self.setup, self.progress, self.saver
        row, training, seconds = progress.row, setup.training, time.perf_counter() - self._began
        row |= confusion_fields(score) | {"seconds": round(seconds, 6)}
        self.metrics.append(row)
        watched = row.get("validation_loss", row["loss"])
        saver.stopping.update(watched, training.early_stopping, setup.scale.validation)
        progress.plateaus.update(watched, training.schedule, setup.scale.validation)
        progress.epoch, progress.last = progress.epoch + 1, row
        progress.batch, progress.row, progress.epoch_seconds = 0, {}, 0.0
        progress.seconds += seconds
        self.watch(progress.epoch)
        self._call_back()
        # Only the first process has callbacks.
        saver.stopping.by_callback = bool(setup.ranks.agree(saver.stopping.by_callback))

        now = time.perf_counter()
        signal, is_due = self._agree(now)
        if self.display.is_due(now) or signal or self._is_complete:
            self._show(now)
        if (signal or is_due) and not self._is_complete:
            if signal:
                saver.activity.record_frame(progress.epoch, setup.network)
            self._save_or_stop(signal)

    def _show(self, now: float) -> None:
        """Shows the metrics of the last epoch. Warns of layers that leave the device's range."""
        setup, display, scale = self.setup, self.display, self.setup.scale
        best = setup.best_by, scale.shown(self.progress.best)[setup.best_by]
        shown = scale.shown(self.progress.last)
        display.show(shown, best, setup.training.epochs, scale.unit, now)
        self.metrics.flush()
        for layer in setup.network.engine_report():
            if layer.leaves_device_range and layer.name not in self._warned_layers:
                self._warned_layers.add(layer.name)
                text = f'a state of layer "{layer.name}" is beyond the 24 bits of the device'
                display.warn(text)

    def _call_back(self) -> None:
        """Calls each of ``callbacks`` with the metrics of the last epoch.

        Training ends if one returns True. If one raises, a checkpoint is written if that is
        possible. TypeError unless each returns None or a boolean of Python, numpy or torch.
        """
        setup, progress, saver = self.setup, self.progress, self.saver
        try:
            for callback in self.callbacks:
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
                save(setup, progress, saver, self.metrics)
            raise

    def _update_best(self) -> None:
        """Stores a copy of the weights if the epoch is the best so far. Its row may still grow."""
        progress, metric = self.progress, self.setup.best_by
        if not progress.best or rank(progress.row, metric) < rank(progress.best, metric):
            progress.best = progress.row
            self.saver.best.copy_weights()

    def _save_or_stop(self, signal: int) -> None:
        """Writes a checkpoint, and raises Interrupted if there is a signal."""
        self._save()
        if signal:
            raise Interrupted(signal)

    def _save(self) -> None:
        """Writes a checkpoint. Writes nothing and raises Divergence if a number is not finite."""
        progress, sums = self.progress, dict[str, torch.Tensor]()
        if progress.batch:
            progress.epoch_seconds = time.perf_counter() - self._began
        if progress.batch and not progress.row:
            sums = self._epoch_sum.state()
            if not sums["sums"].float().isfinite().all():  # the epoch will end with a divergence
                cause = self._epoch_sum.read_and_reset().non_finite
                raise Divergence(progress.epoch, cause or "a sum of its metrics is not finite")
        save(self.setup, progress, self.saver, self.metrics, sums)


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


def save(
    setup: Setup,
    progress: Progress,
    saver: Saver,
    metrics: MetricsFile,
    epoch_sums: Mapping[str, torch.Tensor] = types.MappingProxyType({}),
) -> None:
    """Writes a checkpoint. Writes nothing and raises Divergence if a weight is NaN or too large."""
    cause = non_finite_weight(setup.network)
    if cause:
        raise Divergence(progress.epoch - (not progress.batch), cause)
    saver.save(progress, metrics.sync(), epoch_sums)
