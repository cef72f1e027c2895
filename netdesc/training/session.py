"""Trains a run to its end in this process, and records the outcome."""

import contextlib
import math
import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from typing import Any

from safetensors import SafetensorError

from netdesc.description.diagnostics.wording import amount
from netdesc.exchange import NetFileError, export_net
from netdesc.exchange.errors import NetFileAccessError
from netdesc.exchange.verification import TRIED_SAMPLES, verify_shortly
from netdesc.hardware import HardwareError
from netdesc.modules import Network, build
from netdesc.runs.activity_file import read_activity
from netdesc.runs.errors import RunError, StorageError
from netdesc.runs.folder import ACTIVITY, CHECKPOINTS, LOG, METRICS, NETWORK, STATE, is_filled
from netdesc.runs.metrics_file import LOWER_IS_BETTER, MetricsFile
from netdesc.runs.run_record import EpochMetrics, Finding, RunRecord, VerificationRecord, now
from netdesc.runs.state import resume_command
from netdesc.stop_signals import CTRL_C, STOPPED, exit_code
from netdesc.training.activity_recorder import ActivityRecorder
from netdesc.training.evaluate import build_counter, measure, silent_loss, spikes_per_sample
from netdesc.training.findings import TrainedNetwork, find_problems
from netdesc.training.fixes import lower_rate
from netdesc.training.interrupt import Interrupted, StopRequest
from netdesc.training.loggers import Logs
from netdesc.training.loop import TrainingLoop, confusion_fields, save, score_fields
from netdesc.training.members import LostRankError
from netdesc.training.metrics import Divergence
from netdesc.training.outcome import EXIT_CODES, Outcome
from netdesc.training.progress import Display, Log, format_metric
from netdesc.training.ranks import Silent
from netdesc.training.saver import BestWeights, Progress, Saver
from netdesc.training.setup import Setup, TrainingOptions
from netdesc.training.step import compile_kernels
from netdesc.training.watcher import Watcher


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
    findings: list[Finding]
    watcher: Watcher
    export_problem: str = ""
    """Why the format of ``network.net`` cannot hold the network; empty if it can."""

    def run(self, options: TrainingOptions) -> Outcome:
        """Trains to the end, exports and verifies the best weights, and returns the outcome.

        After divergence or a signal, the run has the status ``diverged`` or ``interrupted``. Any
        other exception is recorded with the status ``failed`` and raised again, with a note that
        says how the run can be resumed.
        """
        logs = Logs(options.log, self.record, self.setup, self.display.warn)
        with contextlib.closing(logs):
            return self._run(options, logs)

    def _run(self, options: TrainingOptions, logs: Logs) -> Outcome:
        stop = StopRequest(is_silent=not self.setup.ranks.is_first)
        try:
            try:
                with stop:
                    try:
                        self._prepare(stop, options.is_trial)
                        logs.open(self.path, self.progress.epoch)
                        callbacks = [logs, *options.callbacks]
                        TrainingLoop(
                            self.setup,
                            self.progress,
                            self.saver,
                            self.metrics,
                            self.display,
                            stop,
                            self.watcher.look,
                            callbacks,
                        ).run()
                        return self._end_done(options, stop)
                    except Interrupted as error:
                        return self._end_interrupted(error.number)
            except Divergence as error:
                return self._end_diverged(error)
            except KeyboardInterrupt:  # before the first epoch, by a callback, or the second signal
                with contextlib.suppress(StorageError):  # resuming needs only the checkpoint
                    if stop.is_training:  # otherwise nothing is new, and kernels may be missing
                        self.saver.save_best(self.progress)
                    self.metrics.sync()
                return self._end_interrupted(stop.signal)
        except LostRankError as error:
            message = f"{error}; {self._resume_hint}"
            code = error.exit_code if error.exit_code in (CTRL_C, STOPPED) else None
            with contextlib.suppress(StorageError):
                self._record_end("failed" if code is None else "interrupted", message, code)
            raise LostRankError(message, error.exit_code, error.is_told) from error
        except StorageError as error:
            message = f"{error}; {self._resume_hint}"
            self._record_failure(message)
            raise StorageError(message) from error
        except BaseException as error:  # whatever ends the run is recorded, and passed on
            self._record_failure(f"{type(error).__name__}: {error}")
            error.add_note(self._resume_hint)
            raise

    def complete(self, options: TrainingOptions) -> Outcome:
        """Adds to a trial that is done what trainings outside of sweeps have at their end."""
        with StopRequest() as stop:
            self.saver.activity.record_frame(self.progress.epoch, self.setup.network)
            self.saver.save_best(self.progress)
            return self._end_done(options, stop)

    def _prepare(self, stop: StopRequest, is_trial: bool) -> None:
        for is_turn in (True, False):  # the first process fills the cache for the others
            if self.setup.ranks.is_first == is_turn:
                compile_kernels(self.setup, self.display, stop, is_trial=is_trial)
            self.setup.ranks.agree(0)
        if self.record.silence is None:  # a new run, or a run of an older netdesc
            self.record.update(silence=self._silent_losses(stop))
        stop.check()
        if self.saver.saved is None:
            save(self.setup, self.progress, self.saver, self.metrics)
        stop.check()
        stop.is_training = True

    def _silent_losses(self, stop: StopRequest) -> dict[str, float]:
        """Returns the loss of a silent output on each split, named as in ``metrics.jsonl``. There
        are none unless the network learns target spikes. Divergence if one exceeds float32."""
        setup, losses = self.setup, dict[str, float]()
        if setup.graph.loss.learns_from != "target spikes" or setup.loss.replacement is not None:
            return losses
        for name, batches in {"loss": setup.train, "validation_loss": setup.validation}.items():
            if batches is not None:
                losses[name] = silent_loss(
                    setup.graph, setup.loss, batches, stop.check, setup.ranks
                )
        for loss in losses.values():
            if not math.isfinite(loss):
                cause = f"the loss of an output that never spikes is {loss}"
                raise Divergence(-1, f"{cause}; lower loss.filter_order or loss.time_constant_ms")
        return losses

    @property
    def _resume_hint(self) -> str:
        """Names the newest checkpoint and the command that resumes from it."""
        command = resume_command(self.shown)
        if self.saver.saved is None:
            return f"nothing was trained yet; go on with: {command}"
        state = self.saver.folder / STATE
        if self.setup.ranks.is_first and not state.exists():
            missing = state if self.path.exists() else self.shown
            return (
                f"the checkpoint is gone, too, because {missing} was deleted or moved during "
                f"training (a run that was moved can be resumed in its new place)"
            )
        if self.saver.saved.is_start:
            return f"no checkpoint after an epoch or batch was written yet; begin with: {command}"
        return f"the checkpoint after {self.saver.saved} is safe; go on with: {command}"

    @property
    def _is_over(self) -> bool:
        return self.saver.stopping.is_over(self.setup.training.early_stopping)

    def _end_interrupted(self, number: int) -> Outcome:
        """Ends a run after the signal ``number``; 0 after a KeyboardInterrupt without one."""
        name = "Ctrl-C" if number == signal.SIGINT else number and signal.Signals(number).name
        cause = f" by {name}" if number else ""
        return self._end("interrupted", f"interrupted{cause}; {self._resume_hint}", number)

    def _end_diverged(self, error: Divergence) -> Outcome:
        self.saver.save_best(self.progress)
        self.metrics.sync()
        hint, saved = "", self.saver.saved
        if saved is not None:
            hint = f"; the checkpoint after {saved} is kept in {self.shown / CHECKPOINTS}"
        fixes = lower_rate(self.setup) if self.progress.epoch else []
        self.findings.append(Finding(code="ND413", message=str(error), fixes=fixes))
        return self._end("diverged", f"{error}{hint}")

    def _end_done(self, options: TrainingOptions, stop: StopRequest) -> Outcome:
        assert self.progress.best, "a run that is done has a best epoch"
        if not self.setup.ranks.is_first:
            return self._end("done", self._summary)
        if options.counts_spikes:
            best = self._build_best()
            batches = self.setup.validation or self.setup.train
            self.record.spikes_per_sample = spikes_per_sample(best, batches, stop.check)
        if options.is_trial:
            return self._end("done", self._summary)
        best = self._build_best()
        exported = self._export(best, options)
        verification = self._verify(best, exported)
        self.record.verification = verification  # written with the outcome
        self.record.test = self._measure_test(best, stop)
        epoch = self.progress.best.get("epoch")
        self.saver.activity.save(self.saver.best.tensors, epoch, is_last=True)
        self._examine(best)
        outcome = self._end("done", self._summary)
        if verification is not None:
            tell = self.display.log if verification.is_proof else self.display.warn
            tell(verification.summary)
        for finding in outcome.findings:
            self.display.log(f"warning: {finding.text}")
        return outcome

    def _build_best(self) -> Network:
        best = build(self.setup.graph)
        best.load_state_dict(self.saver.best.tensors)
        return best.to(self.setup.device)

    @property
    def _summary(self) -> str:
        """Says how long the run took, and how good its best epoch was."""
        progress, metric, early = self.progress, self.setup.best_by, ""
        shown = self.setup.scale.shown(progress.best)
        unit = self.setup.scale.unit if metric in LOWER_IS_BETTER else ""
        best = f"best {metric.replace('_', ' ')} {format_metric(metric, shown[metric])}{unit}"
        best += f" in epoch {shown['epoch']}"
        if progress.epoch < self.setup.training.epochs:
            by_callback = self.saver.stopping.by_callback
            early = ", stopped by a callback" if by_callback else ", stopped early"
        return f"done after {amount(progress.epoch, 'epoch')}{early}: {best}"

    def _export(self, best: Network, options: TrainingOptions) -> Path | None:
        """Writes ``network.net``. Returns its path; None if it is not written. This is a finding,
        unless the format cannot hold the network: who exports is told that."""
        path = self.path / NETWORK
        try:
            for warning in export_net(best, path):
                options.warn(warning)
                self.display.log(f"warning: {warning}")
        except NetFileAccessError as error:
            way = f"to try again: netdesc export {quote(str(self.shown))} -o network.net"
            self.findings.append(Finding(code="ND402", message=str(error), help=way))
        except NetFileError as error:
            self.export_problem = f"no {NETWORK} is written: {error.problem}"
        except ValueError as error:
            message = f"no {NETWORK} is written: {error}"
            self.findings.append(Finding(code="ND402", message=message))
        else:
            return path
        return None

    def _verify(self, best: Network, exported: Path | None) -> VerificationRecord | None:
        """Compares the network with its integers and its export on one of the first samples.

        Returns the field ``verification`` of ``run.json``; None for a network without integers, and
        if the comparison fails, which is a finding: it never costs a trained run its report.
        """
        setup = self.setup
        part, batches = ("train", setup.train)
        if setup.validation is not None:
            part, batches = ("validation", setup.validation)
        samples = batches.samples[:TRIED_SAMPLES]
        batch = next(replace(batches, samples=samples, batch_size=None).in_order())
        try:
            verified = verify_shortly(best, exported, part, batch.input_TBN)
        except HardwareError:  # weights that are real numbers, or a norm that the device lacks
            return None
        except ValueError as error:
            message = f"the trained network was not verified: {error}"
            self.findings.append(Finding(code="ND402", message=message))
            return None
        verified = replace(verified, export_problem=self.export_problem)
        return VerificationRecord.model_validate(verified.record)

    def _measure_test(self, best: Network, stop: StopRequest) -> EpochMetrics | None:
        """Measures the best weights on the test samples, None without any. KeyboardInterrupt
        between two batches if ``stop`` is requested."""
        setup = self.setup
        if setup.test is None:
            return None
        counter = build_counter(setup.graph, setup.loss, setup.device, with_top_k=True)
        loss, score = measure(best, setup.loss, setup.test, counter, lambda *_: stop.check())
        loss_field = {"loss": loss} if math.isfinite(loss) else {}
        fields = loss_field | score_fields(score) | confusion_fields(score)
        fields |= {} if score is None else score.fields
        return EpochMetrics.model_validate({"epoch": self.progress.best["epoch"], **fields})

    def _examine(self, best: Network) -> None:
        """Adds what did not learn to the findings. Errors are findings, too."""
        try:
            watched = self.watcher.watched(best)
            activity = read_activity(self.path, self.setup.graph)
            if activity is not None:
                trained = TrainedNetwork(**vars(watched), activity=activity)
                self.findings[:] = find_problems(trained, self.findings)
        except (RunError, SafetensorError) as error:
            message = f"the files of the run were not examined: {error}"
            self.findings.append(Finding(code="ND402", message=message))

    def _end(self, status: str, message: str, number: int = 0) -> Outcome:
        """Records the end, after the signal ``number`` if there was one."""
        self.display.close()
        report = self.display.warn if status == "diverged" else self.display.info
        self._record_end(status, message, exit_code(number) if number else EXIT_CODES[status])
        report(message)
        untold = [finding for finding in self.findings if not finding.is_told]
        return Outcome.of(self.record, self.path, message, self.setup.scale, untold)

    def _record_failure(self, message: str) -> None:
        with contextlib.suppress(StorageError):  # a full disk may also refuse this write
            self._record_end("failed", message)

    def _record_end(self, status: str, message: str, code: int | None = None) -> None:
        progress = self.progress
        self.record.update(
            status=status,
            exit_code=code,
            message=message,
            ended=now(),
            epochs_done=progress.epoch,
            seconds=round(progress.seconds, 3),
            stopped_early=self._is_over and progress.epoch < self.setup.training.epochs,
            stopped_by_callback=self.saver.stopping.by_callback,
            layers=self.setup.layer_records() or self.record.layers,
            best=progress.best or None,
            final=progress.last or None,
            findings=self.findings,
        )


@contextlib.contextmanager
def open_session(
    shown: Path, setup: Setup, record: RunRecord, display: Display, *, is_trial: bool = False
) -> Iterator[Session]:
    """Opens the log files of a run for the block, and restores the run from its checkpoint.

    ``shown`` is the run's folder, absolute or relative to the working directory. Raises RunError
    if the checkpoint is damaged or was removed, StorageError if a log file cannot be opened. Only
    the first process of several opens files. A trial records no activity, and is not watched.
    """
    path, ranks = shown.absolute(), setup.ranks
    silent: Any = Silent()
    saver = Saver(
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
        )
        if ranks.is_first and not is_trial
        else silent,
        lock_sha256=record.lock_sha256,
        every_s=setup.training.checkpoint_every_s,
        ranks=ranks,
    )
    has_trained = record.epochs_done > 0 or is_filled(path / METRICS)
    progress, length = saver.restore(has_trained, record.locks)
    if not ranks.is_first:
        record.detach()
        yield Session(path, shown, setup, record, silent, saver, progress, silent, [], silent)
        return
    with Log(path / LOG) as log, MetricsFile(path / METRICS, length) as metrics:
        display.attach_log(log)
        if metrics.is_short:
            display.warn(f"{METRICS} has lost lines that the run had written")
        findings = [finding for finding in record.findings if finding.is_told]
        watcher = silent
        if not is_trial:
            watcher = Watcher(path, setup, record, display, metrics, findings)
        yield Session(
            path, shown, setup, record, display, saver, progress, metrics, findings, watcher
        )
