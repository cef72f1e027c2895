"""Trains trials of a sweep, one after another, until all are taken."""

from collections.abc import Callable
from dataclasses import replace

from netdesc.runs.sweep_table import TrialRow, TrialStatus
from netdesc.sweeps.study import OpenTrial, SweepStudy
from netdesc.sweeps.trial import TrialEnd, run_folder, train_trial
from netdesc.training.setup import TrainingOptions

OnTrial = Callable[[TrialRow], object]
"""Called after each trial."""

_EQUAL_FAILURES = 3
"""Number of first trials that end the sweep if they all fail for the same reason."""

_STATUS: dict[str, TrialStatus] = {"complete": "done", "pruned": "pruned", "failed": "failed"}


def run_worker(
    study: SweepStudy, options: TrainingOptions, on_trial: OnTrial = lambda row: None
) -> int:
    """Trains trials until all are taken. Returns 0, or the exit code after a signal.

    A signal leaves a trial open, with a checkpoint, for this or another worker. A trial that
    diverges or that the user's document makes impossible has failed, and the next one begins. Only
    if the first three all fail for the same reason, that error is raised. StorageError if a file
    cannot be written.
    """
    options = replace(options, warn=lambda text: None)  # the run's log has it
    first: list[TrialEnd] = []
    while (trial := study.next_trial()) is not None:
        end = train_trial(study, trial, options)
        if end.state == "open":
            return end.exit_code
        study.tell(trial, None, end.state, end.reason, end.seeds)
        on_trial(_row(study, trial, end))
        if len(first) < _EQUAL_FAILURES:
            first.append(end)
            reasons = {(end.reason if end.error is not None else None) for end in first}
            if len(first) == _EQUAL_FAILURES and len(reasons) == 1 and end.error is not None:
                raise end.error
    return 0


def _row(study: SweepStudy, trial: OpenTrial, end: TrialEnd) -> TrialRow:
    numbers = range(max(1, len(end.seeds)))
    runs = (run_folder(study.folder, trial, number) for number in numbers)
    return TrialRow(
        number=trial.number,
        variant=trial.variant.name,
        values=trial.values,
        status=_STATUS[end.state],
        results=end.medians or None,
        spreads=end.spreads or None,
        reason=end.reason,
        folders=tuple(str(run.relative_to(study.folder)) for run in runs),
    )
