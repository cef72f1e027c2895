"""Trains a run to its end in this process, and records the outcome."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch

from netdesc.description.diagnostics.wording import amount
from netdesc.graph import Graph
from netdesc.modules import Network
from netdesc.runs.errors import StorageError
from netdesc.runs.folder import ACTIVITY, CHECKPOINTS, LOG, METRICS, STATE, is_filled
from netdesc.runs.metrics_file import MetricsFile
from netdesc.runs.run_record import RunRecord, Scale, VerificationRecord, now
from netdesc.runs.state import resume_command
from netdesc.training.activity_recorder import ActivityRecorder
from netdesc.training.callbacks import Callback
from netdesc.training.interrupt import StopRequest
from netdesc.training.kernel_compilation import compile_kernels
from netdesc.training.learning_check import learning_problems
from netdesc.training.loop import Divergence, fit, save
from netdesc.training.progress import Display, Log
from netdesc.training.saver import BestWeights, Progress, Saver
from netdesc.training.setup import Setup
from netdesc.training.silent_baseline import silent_losses
from netdesc.training.weights import WeightReader

EXIT_CODES = {"done": 0, "diverged": 4, "interrupted": 130}


class Sample(NamedTuple):
    """The first sample of a part of the data: its name and its input [steps, *input shape]."""

    name: str
    input_TN: torch.Tensor


Finish = Callable[[Path, Graph, dict[str, torch.Tensor], Sample | None], dict[str, Any] | None]
"""Function of the run's folder, the graph, the best weights and a sample, called at the end of
training.

It writes ``network.net`` if the format can hold the network, and raises StorageError if the file
cannot be written. With a sample, it returns the field ``verification`` of ``run.json``, in which
``identical`` says whether the file holds what was trained, and ``summary`` is a sentence."""


@dataclass(frozen=True)
class Hooks:
    """The caller's functions for a training, and whether it begins with too little memory.

    ``readers`` maps suffixes of weights files to readers (see ``load_weights``). ``begin`` is
    called with the network before the first epoch of a new run, ``callbacks`` after each epoch (see
    ``callbacks``), ``finish`` at the end of training, before the run is recorded as done. Unless
    ``ignore_memory``, training that needs more memory than is free does not begin.
    """

    readers: Mapping[str, WeightReader] = field(default_factory=dict[str, WeightReader])
    begin: Callable[[Network], None] = lambda network: None
    callbacks: Sequence[Callback] = ()
    finish: Finish | None = None
    ignore_memory: bool = False


@dataclass(frozen=True)
class Outcome:
    """The outcome of a run: ``status`` is ``done``, ``diverged`` or ``interrupted``.

    ``path`` is the run's folder. ``best`` and ``final`` are the metrics of the best and of the last
    epoch, as in ``run.json``, or None if no epoch is complete.
    """

    path: Path
    status: str
    message: str
    best: dict[str, Any] | None
    final: dict[str, Any] | None
    scale: Scale
    """Converts ``best`` and ``final`` to losses per sample and epochs from 1."""
    warnings: Sequence[str] = ()
    """Sentences about layers that did not spike or did not learn; empty unless this call trained.
    They are in ``train.log``, but were not printed."""

    @property
    def exit_code(self) -> int:
        """The exit code of the command that trained this run: 0, 4 or 130."""
        return EXIT_CODES[self.status]


@dataclass(eq=False)
class Session:
    """A run that this process trains. Its folder is locked, and its log files are open.

    ``path`` is absolute, because a callback may change the working directory. Messages show the
    folder as the user gave it, which is ``shown``.
    """

    path: Path
    shown: Path
    setup: Setup
    record: RunRecord
    display: Display
    saver: Saver
    progress: Progress
    metrics: MetricsFile

    def run(self, hooks: Hooks) -> Outcome:
        """Trains to the end, then calls ``hooks.finish``, and returns the outcome.

        After divergence or Ctrl-C, the run has the status ``diverged`` or ``interrupted``. Any
        other exception is recorded with the status ``failed`` and raised again, with a note that
        says how the run can be resumed.
        """
        try:
            return self._train(hooks)
        except StorageError as error:
            message = f"{error}; {self._resume_hint}"
            self._record_failure(message)
            raise StorageError(message) from error
        except BaseException as error:  # whatever ends the run is recorded, and passed on
            self._record_failure(f"{type(error).__name__}: {error}")
            error.add_note(self._resume_hint)
            raise

    def _train(self, hooks: Hooks) -> Outcome:
        stop = StopRequest()
        try:
            with stop:
                compile_kernels(self.setup.network, self.setup.device, self.display, stop)
                if self.record.silence is None:  # a new run, or a run of an older netdesc
                    self.record.update(silence=silent_losses(self.setup))
                stop.check()
                if self.saver.saved_epoch is None:
                    save(self.setup, self.progress, self.saver, self.metrics)
                stop.check()
                stop.is_training = True
                fit(
                    self.setup,
                    self.progress,
                    self.saver,
                    self.metrics,
                    self.display,
                    stop,
                    hooks.callbacks,
                )
                is_complete = self.progress.epoch >= self.setup.training.epochs
                if is_complete or self._is_over:
                    return self._end_done(hooks.finish)
                return self._end_interrupted()
        except Divergence as error:
            self.saver.save_best(self.progress)
            self.metrics.sync()
            kept, epochs = "", self.saver.saved_epoch
            if epochs is not None:
                folder = self.shown / CHECKPOINTS
                kept = f"; the checkpoint after {amount(epochs, 'epoch')} is kept in {folder}"
            return self._end("diverged", f"{error}{kept}")
        except KeyboardInterrupt:  # before the first epoch, by a callback, or the second signal
            with contextlib.suppress(StorageError):  # resuming needs only the checkpoint
                if stop.is_training:  # otherwise nothing is new, and kernels may be missing
                    self.saver.save_best(self.progress)
                self.metrics.sync()
            return self._end_interrupted()

    @property
    def _resume_hint(self) -> str:
        """Names the newest checkpoint and the command that resumes from it."""
        command = resume_command(self.shown)
        if self.saver.saved_epoch is None:
            return f"nothing was trained yet; go on with: {command}"
        state = self.saver.folder / STATE
        if not state.exists():
            gone = state if self.path.exists() else self.shown
            return (
                f"the checkpoint is gone, too, because {gone} was deleted or moved during training "
                f"(a run that was moved can be resumed in its new place)"
            )
        if not self.saver.saved_epoch:
            return f"no checkpoint after an epoch was written yet; begin anew with: {command}"
        saved = amount(self.saver.saved_epoch, "epoch")
        return f"the checkpoint after {saved} is safe; go on with: {command}"

    def _end_done(self, finish: Finish | None) -> Outcome:
        verification = None
        if finish is not None:
            best, graph = self.saver.best.tensors, self.setup.graph
            verification = finish(self.path, graph, best, self._first_sample())
            if verification is not None:  # written with the outcome
                self.record.verification = VerificationRecord.model_validate(verification)
        assert self.progress.best_epoch is not None, "a run that is done has a best epoch"
        scale, validated = self.setup.scale, self.setup.validation is not None
        loss = self.progress.best_loss / scale.validation
        best = f"best {'validation ' if validated else ''}loss {loss:,.6g}{scale.unit}"
        best += f" in epoch {self.progress.best_epoch + 1}"
        if self.progress.best_accuracy is not None:
            best += f", accuracy {self.progress.best_accuracy:.1%}"
        early = ""
        if self.progress.epoch < self.setup.training.epochs:
            by_callback = self.saver.stopping.by_callback
            early = ", stopped by a callback" if by_callback else ", stopped early"
        done = f"done after {amount(self.progress.epoch, 'epoch')}{early}: {best}"
        outcome = self._end("done", done)
        if verification is not None:
            tell = self.display.info if verification["identical"] else self.display.warn
            tell(verification["summary"])
        return outcome

    def _first_sample(self) -> Sample:
        """Returns the first sample of the validation or training data."""
        setup = self.setup
        part, batches = ("train", setup.train)
        if setup.validation is not None:
            part, batches = ("validation", setup.validation)
        batch = next(replace(batches, samples=batches.samples[:1]).in_order())
        return Sample(f"{part} sample 0", batch.input_TBN[:, 0])

    @property
    def _is_over(self) -> bool:
        """Whether early stopping or a callback ends the run."""
        return self.saver.stopping.is_over(self.setup.training.early_stopping)

    def _end_interrupted(self) -> Outcome:
        return self._end("interrupted", f"interrupted; {self._resume_hint}")

    def _end(self, status: str, message: str) -> Outcome:
        self.display.close()
        report = self.display.warn if status == "diverged" else self.display.info
        self._record_end(status, message)
        report(message)
        warnings: list[str] = []
        if status == "done":
            warnings += learning_problems(self.progress.last, self.setup.graph.read_by_state)
            has_risen = self.progress.last["loss"] > self.progress.best_loss
            # A validation loss rises also by overfitting; the report tells one from the other.
            if self.setup.validation is None and self.progress.best_epoch == 0 and has_risen:
                warnings.append("the first epoch was the best; a lower learning rate may help")
        for warning in warnings:
            self.display.log(f"warning: {warning}")
        best, final = (each and each.model_dump() for each in (self.record.best, self.record.final))
        return Outcome(self.path, status, message, best, final, self.setup.scale, warnings)

    def _record_failure(self, message: str) -> None:
        with contextlib.suppress(StorageError):  # a full disk may also refuse this write
            self._record_end("failed", message)

    def _record_end(self, status: str, message: str) -> None:
        progress, part = self.progress, "" if self.setup.validation is None else "validation_"
        best = {"epoch": progress.best_epoch, f"{part}loss": progress.best_loss}
        if progress.best_accuracy is not None:
            best[f"{part}accuracy"] = progress.best_accuracy
        self.record.update(
            status=status,
            message=message,
            ended=now(),
            epochs_done=progress.epoch,
            seconds=round(progress.seconds, 3),
            stopped_early=self._is_over and progress.epoch < self.setup.training.epochs,
            stopped_by_callback=self.saver.stopping.by_callback,
            layers=self.setup.layer_records() or self.record.layers,
            best=None if progress.best_epoch is None else best,
            final=progress.last or None,
        )


def build_saver(path: Path, setup: Setup, record: RunRecord) -> Saver:
    """Returns the writer of checkpoints of the run in ``path``, which has not restored it yet."""
    return Saver(
        folder=path / CHECKPOINTS,
        network=setup.network,
        optimizer=setup.optimizer,
        best=BestWeights(setup.network),
        activity=ActivityRecorder(
            path / ACTIVITY,
            setup.graph,
            setup.validation or setup.train,
            "train" if setup.validation is None else "validation",
            setup.training.epochs,
        ),
        lock_sha256=record.lock_sha256,
        every_s=setup.training.checkpoint_every_s,
    )


@contextlib.contextmanager
def open_session(
    shown: Path, setup: Setup, record: RunRecord, display: Display
) -> Iterator[Session]:
    """Opens the log files of a run for the block, and restores the run from its checkpoint.

    ``shown`` is the run's folder, absolute or relative to the working directory. Raises RunError
    if the checkpoint is damaged or was removed, StorageError if a log file cannot be opened.
    """
    path = shown.absolute()
    saver = build_saver(path, setup, record)
    has_trained = record.epochs_done > 0 or is_filled(path / METRICS)
    progress, length = saver.restore(has_trained)
    with Log(path / LOG) as log, MetricsFile(path / METRICS, length) as metrics:
        display.attach_log(log)
        if metrics.is_short:
            display.warn(f"{METRICS} has lost lines that the run had written")
        yield Session(path, shown, setup, record, display, saver, progress, metrics)
