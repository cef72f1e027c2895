"""One sitting at a run: the loop, and what each of its endings leaves behind."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from netdesc.graph import Graph
from netdesc.runs.files import ACTIVITY, CHECKPOINTS, LOG, METRICS
from netdesc.training.activity import Activity
from netdesc.training.checkpoint import BestWeights, Progress, Saver
from netdesc.training.compile_notice import compile_notices
from netdesc.training.errors import StorageError, storing
from netdesc.training.interrupt import StopRequest
from netdesc.training.loop import Divergence, fit, save
from netdesc.training.progress import Display, count_epochs
from netdesc.training.record import Record, now
from netdesc.training.run_logs import Log, Metrics
from netdesc.training.setup import Setup
from netdesc.training.silent_baseline import silent_losses
from netdesc.training.stopping import EarlyStopping

EXIT_CODES = {"done": 0, "diverged": 4, "interrupted": 130}

Finish = Callable[[Path, Graph, dict[str, torch.Tensor]], None]
"""Called with the run's folder, the graph and the best weights when training is done."""


@dataclass(frozen=True)
class Run:
    """A run that has ended: ``status`` is ``done``, ``diverged`` or ``interrupted``.

    ``best`` and ``final`` are the metrics of the best and of the last epoch, as in ``run.json``.
    """

    path: Path
    status: str
    message: str
    best: dict[str, Any] | None
    final: dict[str, Any] | None

    @property
    def exit_code(self) -> int:
        """What a command that did this run returns: 0, 4 or 130."""
        return EXIT_CODES[self.status]


@dataclass(eq=False)
class Session:
    """A run whose folder this process holds, with everything open that the loop writes to."""

    path: Path
    job: Setup
    record: Record
    display: Display
    saver: Saver
    progress: Progress
    metrics: Metrics

    def run(self, finish: Finish | None) -> Run:
        """Trains to the end. StorageError, and whatever else stops it, after noting it."""
        try:
            with StopRequest() as stop, compile_notices(self.job.device, self.display.say):
                if "silence" not in self.record.fields:  # a run that begins, or an older one
                    self.record.update(silence=silent_losses(self.job))
                if self.saver.saved_epoch is None:
                    save(self.job, self.progress, self.saver, self.metrics)
                fit(self.job, self.progress, self.saver, self.metrics, self.display, stop)
                return self._complete(finish) if self._is_complete else self._interrupted()
        except Divergence as error:
            return self._diverged(error)
        except KeyboardInterrupt:  # the second Ctrl-C: in the middle of an epoch
            with contextlib.suppress(StorageError):  # the checkpoint is all that resuming needs
                self.saver.save_best(self.progress)
                self.metrics.sync()
            return self._interrupted()
        except StorageError as error:
            message = f"{error}; {self._safe}"
            self._fail(message)
            raise StorageError(message) from error
        except BaseException as error:
            self._fail(f"{type(error).__name__}: {error}")
            raise

    @property
    def _is_complete(self) -> bool:
        return self.progress.epoch >= self.job.training.epochs or self.saver.stopping.is_over

    @property
    def _safe(self) -> str:
        """What the disk holds, and how to go on from it."""
        if self.saver.saved_epoch is None:
            return "nothing was trained yet"
        return (
            f"the checkpoint after {count_epochs(self.saver.saved_epoch)} is safe; "
            f"go on with: netdesc train --resume {shlex.quote(str(self.path))}"
        )

    def _complete(self, finish: Finish | None) -> Run:
        if finish is not None:
            with storing(self.path):
                finish(self.path, self.job.graph, self.saver.best.tensors)
        assert self.progress.best_epoch is not None, "a run that is done has a best epoch"
        scale, validated = self.job.scale, self.job.validation is not None
        loss = self.progress.best_loss / (scale.validation if validated else scale.train)
        best = f"best {'validation ' if validated else ''}loss {loss:,.6g}{scale.unit}"
        best += f" in epoch {self.progress.best_epoch + 1}"
        if self.progress.best_accuracy is not None:
            best += f", accuracy {self.progress.best_accuracy:.1%}"
        early = "" if self.progress.epoch == self.job.training.epochs else ", stopped early"
        return self._end("done", f"done after {count_epochs(self.progress.epoch)}{early}: {best}")

    def _interrupted(self) -> Run:
        return self._end("interrupted", f"interrupted; {self._safe}")

    def _diverged(self, error: Divergence) -> Run:
        self.saver.save_best(self.progress)
        self.metrics.sync()
        if self.saver.saved_epoch is None:
            return self._end("diverged", str(error))
        kept = f"the checkpoint after {count_epochs(self.saver.saved_epoch)} is kept"
        return self._end("diverged", f"{error}; {kept} in {self.saver.folder}")

    def _end(self, status: str, message: str) -> Run:
        self.display.close()
        tell = self.display.warn if status == "diverged" else self.display.say
        tell(message)
        self._note(status, message)
        return Run(
            self.path, status, message, self.record.fields["best"], self.record.fields["final"]
        )

    def _fail(self, message: str) -> None:
        with contextlib.suppress(StorageError):  # the disk that is full may refuse this, too
            self._note("failed", message)

    def _note(self, status: str, message: str) -> None:
        progress, part = self.progress, "" if self.job.validation is None else "validation_"
        best = {"epoch": progress.best_epoch, f"{part}loss": progress.best_loss}
        if progress.best_accuracy is not None:
            best[f"{part}accuracy"] = progress.best_accuracy
        self.record.update(
            status=status,
            message=message,
            ended=now(),
            epochs_done=progress.epoch,
            seconds=round(progress.seconds, 3),
            stopped_early=self.saver.stopping.is_over and progress.epoch < self.job.training.epochs,
            layers=self.job.layers() or self.record.fields["layers"],
            best=None if progress.best_epoch is None else best,
            final=progress.last or None,
        )


@contextlib.contextmanager
def open_session(
    path: Path, job: Setup, lock_sha256: str, record: Record, display: Display
) -> Iterator[Session]:
    """Opens the files of a run and puts everything back as its checkpoint holds it, if any."""
    early = job.training.early_stopping
    saver = Saver(
        folder=path / CHECKPOINTS,
        network=job.network,
        optimizer=job.optimizer,
        stopping=EarlyStopping(early.patience_epochs, early.min_delta)
        if early
        else EarlyStopping(),
        best=BestWeights(job.network),
        activity=Activity(
            path / ACTIVITY,
            job.graph,
            job.validation or job.train,
            "train" if job.validation is None else "validation",
            job.training.epochs,
            job.classifier,
        ),
        lock_sha256=lock_sha256,
        every_s=job.training.checkpoint_every_s,
    )
    progress, length = saver.restore()
    with (
        Log(path / LOG) as log,
        Metrics(path / METRICS, length) as metrics,
    ):
        display.keep(log)
        if metrics.is_short:
            display.warn(f"{METRICS} has lost lines that the run had written")
        yield Session(path, job, record, display, saver, progress, metrics)
