"""Trains trials of a sweep, one after another: a run for each seed of a trial."""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch

from netdesc.caller import UserError
from netdesc.data.data_checks import check_data
from netdesc.description import Description
from netdesc.description.diagnostics.wording import amount
from netdesc.description.load import check_changed, require_valid
from netdesc.description.models.sweep import TRIAL_METRICS
from netdesc.description.sweep_space import SweepSpace, Variant
from netdesc.runs.errors import StorageError
from netdesc.runs.run_record import read_record
from netdesc.runs.sweep_table import TrialRow, TrialStatus
from netdesc.sweeps import sweep_folder
from netdesc.sweeps.study import OpenTrial, SweepStudy
from netdesc.training.outcome import Outcome
from netdesc.training.setup import TrainingOptions
from netdesc.training.train import train

OnTrial = Callable[[TrialRow], object]
"""Called after each trial."""

_EQUAL_FAILURES = 3
"""Number of first trials that end the sweep if they all fail for the same reason."""
_FAILURES = (UserError, MemoryError, torch.OutOfMemoryError)
"""What ends a trial but not its sweep, unless a file of the sweep could not be written."""


class _TrialEnd(NamedTuple):
    """How a trial ended. After a signal, it is ``waiting`` and ``exit_code`` ends the process.

    ``seeds`` are the objectives by seed. ``reason`` says why the trial failed or was pruned, and
    ``error`` is what it failed by, unless it diverged.
    """

    status: TrialStatus
    seeds: Sequence[Sequence[float]] = ()
    reason: str = ""
    error: BaseException | None = None
    exit_code: int = 0


def run_worker(
    study: SweepStudy, options: TrainingOptions, on_trial: OnTrial = lambda row: None
) -> int:
    """Trains trials until all are taken. Returns 0, or the exit code after a signal.

    ``options`` are device, engine and the like. A signal leaves a trial open, with a checkpoint,
    for this or another worker. A trial that diverges or that the user's document makes impossible
    has failed, and the next one begins. Only if the first three all fail for the same reason, that
    error is raised. StorageError if a file cannot be written.
    """
    options = replace(options, warn=lambda text: None)  # the run's log has it
    reasons = list[str]()
    while (trial := study.next_trial()) is not None:
        end = _train_trial(study, trial, options)
        if end.status == "waiting":
            return end.exit_code
        on_trial(study.tell(trial, end.seeds, end.status, end.reason))
        reasons.append("" if end.error is None else end.reason)
        if end.error is not None and reasons == [end.reason] * _EQUAL_FAILURES:
            raise end.error
    return 0


def _train_trial(study: SweepStudy, trial: OpenTrial, options: TrainingOptions) -> _TrialEnd:
    """Trains a trial with each of its seeds in turn, or goes on where another worker has ended."""
    seeds = list[list[float]]()
    try:
        for number in range(study.space.section.seeds):
            outcome = _train_seed(study, trial, number, options)
            if outcome.status == "interrupted":
                return _TrialEnd("waiting", exit_code=outcome.exit_code)
            if outcome.status == "diverged":
                return _TrialEnd("failed", reason=outcome.message.partition("; ")[0])
            assert outcome.best is not None, "a run that is done has a best epoch"
            record = read_record(outcome.path)
            values = outcome.scale.shown(outcome.best)
            values |= {name: getattr(record, name) for name in TRIAL_METRICS}
            results = [values.get(objective.metric) for objective in study.space.objectives]
            seeds.append([math.nan if value is None else float(value) for value in results])
            if record.stopped_by_callback:
                epochs = amount(record.epochs_done, "epoch")
                return _TrialEnd("pruned", seeds, f"pruned after {epochs}")
    except StorageError:
        raise
    except _FAILURES as error:
        text = str(error) or "not enough memory"
        return _TrialEnd("failed", reason=text.partition("\n")[0], error=error)
    return _TrialEnd("done", seeds)


def _train_seed(
    study: SweepStudy, trial: OpenTrial, number: int, options: TrainingOptions
) -> Outcome:
    space, metrics = study.space, [objective.metric for objective in study.space.objectives]

    def is_poor(values: dict[str, Any]) -> bool:
        return study.report(trial, values["epoch"], values[metrics[0]])

    prunes = space.section.prune is not None and number == 0
    options = replace(
        options,
        run_dir=sweep_folder.trial(study.folder, trial.number) / f"seed{number}",
        resume_or_start=True,
        is_trial=True,
        counts_spikes="spikes_per_sample" in metrics,
        callbacks=[is_poor] if prunes else [],
        progress="silent",
    )
    return train(changed_document(space, trial.variant, trial.values, number), options)


def changed_document(
    space: SweepSpace, variant: Variant, values: dict[str, Any], number: int
) -> Description:
    """Returns the document of a trial's training with one of its seeds, which count from 0."""
    check_files = functools.partial(check_data, sections=("layers", "weights"))
    overrides = space.overrides(variant, values, number)
    return require_valid(check_changed(space.description, overrides, check_files))
