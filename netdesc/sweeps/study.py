"""A sweep that many processes carry out together: each takes trials and tells their results.

All changes are transactions of the journal. So a trial belongs to one worker, and no more trials
begin than are planned. A worker keeps a folder in ``workers`` locked while it lives. When it ends,
others see that, and the next one takes over its trial.
"""

import contextlib
import math
import re
import secrets
import shutil
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from netdesc.description import Description
from netdesc.description.sweep_space import SweepSpace, Variant, sweep_space
from netdesc.runs.errors import RunError, storing
from netdesc.runs.folder import CHECKPOINTS, STATE
from netdesc.runs.process_lock import Worker, lock_folder
from netdesc.runs.sweep_table import SweepTable, TrialRow, TrialStatus
from netdesc.sweeps import results, sweep_folder
from netdesc.sweeps.journal import Journal, LockLostError

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.study import Study
    from optuna.trial import FrozenTrial

EPOCHS = "training.epochs"
MAX_DEATHS = 3
"""Number of workers that may die at a trial before its first checkpoint."""

Result = TypeVar("Result")


class OpenTrial(NamedTuple):
    """A trial to train: what its ``variant`` sets, and its own values by their paths."""

    number: int
    variant: Variant
    values: dict[str, Any]


class SweepStudy(contextlib.ExitStack):
    """The sweep in a folder, as one worker sees it. Not for several threads.

    ``close``, or the end of a ``with`` block, ends the worker. Then another one can take over a
    trial that it has not told.
    """

    def __init__(self, space: SweepSpace, folder: Path) -> None:
        super().__init__()
        self.space, self.folder, self._worker = space, folder, ""
        self._journal = Journal(folder / sweep_folder.JOURNAL)
        self._opened: Study | None = None
        with results.quiet_optuna():
            self._pruner = _pruner(space)

    def plan(self, trials: int | None = None, add: int = 0) -> None:
        """Replaces the number of planned trials and adds to it; a grid has no more than points."""

        def change(study: "Study") -> None:
            old = study.user_attrs.get("planned")
            first = self.space.trials if old is None else old
            planned = (first if trials is None else trials) + add
            if self.space.method == "grid":
                planned = min(planned, self.space.grid_size())
            if planned != old:
                study.set_user_attr("planned", planned)

        self._change(change)

    def next_trial(self) -> OpenTrial | None:
        """Returns a trial for this worker: one that no worker has any more, else a new one.

        None if all planned trials are taken.
        """
        if not self._worker:
            here = Worker.here()
            host = re.sub(r"[^\w-]", "_", here.host)[:60]
            worker = f"{host}-{here.pid}-{secrets.token_hex(4)}"
            path = self.folder / sweep_folder.WORKERS / worker
            with storing(path):
                path.mkdir(parents=True)
            self.callback(shutil.rmtree, path, ignore_errors=True)
            self.enter_context(lock_folder(path))
            self.callback(self._release)
            self._worker = worker
        return self._change(self._take)

    def _release(self) -> None:
        def release(study: "Study") -> None:
            for trial in _unfinished(study):
                if trial.user_attrs["owner"] == self._worker:
                    _set(study, trial.number, {"owner": ""})

        with contextlib.suppress(RunError):  # a dead worker needs no release
            self._change(release)
        self._worker = ""

    def report(self, trial: OpenTrial, epoch: int, value: float) -> bool:
        """Returns whether to prune a trial whose objective is ``value`` after ``epoch`` epochs.

        If a resumed trial comes to an epoch again, the answer is the same. Not after the last one.
        """
        pruner, training = self._pruner, self.space.description.document.training
        epochs = {**trial.variant.settings, **trial.values}.get(EPOCHS, training.epochs)

        def add(study: "Study") -> bool:
            from optuna.trial import Trial

            assert pruner is not None
            if not self._has(study, trial.number):
                return False  # a worker that took it over reports
            stored = study.get_trials(deepcopy=False)[trial.number]
            if epoch not in stored.intermediate_values:
                Trial(study, trial.number).report(float(value), epoch)
                stored = study.get_trials(deepcopy=False)[trial.number]
                if pruner.prune(study, stored) and epoch < epochs:
                    _set(study, trial.number, {"pruned_after": epoch})
                    return True
            return stored.user_attrs.get("pruned_after", math.inf) <= epoch

        return pruner is not None and self._change(add, is_durable=False)

    def tell(
        self,
        trial: OpenTrial,
        seeds: Sequence[Sequence[float]],
        status: TrialStatus = "done",
        reason: str = "",
    ) -> TrialRow:
        """Ends a trial with the medians of the objectives of its ``seeds``; returns its row.

        If they are not finite, the trial has failed. If another worker has taken over the trial,
        nothing happens.
        """

        def end(study: "Study") -> TrialRow:
            if self._has(study, trial.number):
                _end(study, trial.number, status, reason, seeds)
            stored = study.get_trials(deepcopy=False)[trial.number]
            return results.trial_row(self.folder, stored)

        return self._change(end)

    def table(self) -> SweepTable:
        """Returns all trials of all workers."""
        return results.read_table(self.folder)

    def _change(self, action: Callable[["Study"], Result], is_durable: bool = True) -> Result:
        while True:
            try:
                with results.quiet_optuna(), self._journal.transaction(is_durable):
                    if self._opened is None:
                        sweep_folder.write(self.space, self.folder)
                        self._opened = results.load_study(self._journal, self.space)
                    return action(self._opened)
            except LockLostError:
                self._opened = None
            except BaseException:
                self._opened = None  # it contains changes that did not reach the file
                raise

    def _has(self, study: "Study", number: int) -> bool:
        """Whether this worker has the trial; not if it has ended, or if another one took it."""
        trial = study.get_trials(deepcopy=False)[number]
        return not trial.state.is_finished() and trial.user_attrs["owner"] == self._worker

    def _take(self, study: "Study") -> OpenTrial | None:
        from netdesc.sweeps.samplers import propose

        variants = {variant.name: variant for variant in self.space.variants}
        for trial in _unfinished(study):
            number, attrs = trial.number, trial.user_attrs
            if not results.is_abandoned(self.folder, trial):
                continue
            states = sweep_folder.trial(self.folder, number).glob(f"*/{CHECKPOINTS}/{STATE}")
            is_lost = attrs["owner"] != "" and not any(states)
            deaths = attrs.get("deaths", 0) + 1 if is_lost else 0
            if deaths < MAX_DEATHS:
                _set(study, number, {"owner": self._worker, "deaths": deaths})
                return OpenTrial(number, variants[attrs["variant"]], attrs["values"])
            text = f"{deaths} workers ended before its first checkpoint, as if killed"
            _end(study, number, "failed", text)
        number = len(study.get_trials(deepcopy=False))
        if number >= study.user_attrs["planned"]:
            return None
        variant, values = propose(study, self.space, number)
        _set(study, number, {"owner": self._worker, "variant": variant.name, "values": values})
        return OpenTrial(number, variant, values)


def open_sweep(
    description: Description, folder: Path, add_trials: int = 0, trials: int | None = None
) -> SweepStudy:
    """Starts the sweep of a document in ``folder``, or joins it.

    ``trials`` replaces the number of planned trials, and ``add_trials`` is added to it. The section
    ``sweep`` has no errors. RunError if the folder holds something else, with exit code 2, or if
    Optuna is missing, with exit code 3.
    """
    study = SweepStudy(sweep_space(description), folder)
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    sweep_folder.require_sweep_or_nothing(folder)  # before the lock's files are made there
    study.plan(trials, add_trials)
    return study


def _unfinished(study: "Study") -> "list[FrozenTrial]":
    return [trial for trial in study.get_trials(deepcopy=False) if not trial.state.is_finished()]


def _set(study: "Study", number: int, attrs: dict[str, Any]) -> None:
    from optuna.trial import Trial

    for name, value in attrs.items():
        Trial(study, number).set_user_attr(name, value)  # in one study, ids are numbers


def _end(
    study: "Study",
    number: int,
    status: TrialStatus,
    reason: str,
    seeds: Sequence[Sequence[float]] = (),
) -> None:
    from optuna.trial import TrialState

    medians = [statistics.median(values) for values in zip(*seeds, strict=True)]
    if status == "done" and not all(map(math.isfinite, medians)):
        status, reason, seeds = "failed", f"its results are not finite: {medians}", ()
    _set(study, number, {"reason": reason, "seeds": seeds})
    study.tell(number, medians if status == "done" else None, TrialState[results.STATES[status]])


def _pruner(space: SweepSpace) -> "BasePruner | None":
    from optuna.pruners import HyperbandPruner, MedianPruner

    section = space.section.prune
    if section is None:
        return None
    if section.type == "median":
        return MedianPruner(n_startup_trials=5, n_warmup_steps=section.min_epochs)
    epochs = max(space.description.document.training.epochs, section.min_epochs)
    return HyperbandPruner(section.min_epochs, epochs)
