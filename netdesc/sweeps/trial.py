"""Trains one trial of a sweep: a run for each of its seeds, in a folder of its own."""

import functools
import math
import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch

from netdesc.caller import UserError
from netdesc.data.data_checks import check_data
from netdesc.description import Description
from netdesc.description.diagnostics.wording import amount
from netdesc.description.load import check_changed, require_valid
from netdesc.description.sweep_space import SweepSpace, Variant
from netdesc.runs.errors import StorageError
from netdesc.runs.run_record import read_record
from netdesc.sweeps import sweep_folder
from netdesc.sweeps.study import OpenTrial, SweepStudy
from netdesc.training.outcome import Outcome
from netdesc.training.setup import TrainingOptions
from netdesc.training.train import train

_FAILURES = (UserError, MemoryError, torch.OutOfMemoryError)
"""What ends a trial but not its sweep, unless a file of the sweep could not be written."""


class TrialEnd(NamedTuple):
    """How a trial ended. It is ``open`` after a signal, which ends the process by ``exit_code``.

    ``seeds`` are the objectives by seed. ``reason`` says why the trial failed or was pruned, and
    ``error`` is what it failed by, unless it diverged.
    """

    state: Literal["complete", "pruned", "failed", "open"]
    seeds: Sequence[Sequence[float]] = ()
    reason: str = ""
    error: BaseException | None = None
    exit_code: int = 0

    @property
    def medians(self) -> tuple[float, ...]:
        return tuple(map(statistics.median, zip(*self.seeds, strict=True)))

    @property
    def spreads(self) -> tuple[float, ...]:
        return tuple(max(values) - min(values) for values in zip(*self.seeds, strict=True))


def train_trial(study: SweepStudy, trial: OpenTrial, options: TrainingOptions) -> TrialEnd:
    """Trains a trial with each of its seeds in turn, or goes on where another worker has ended.

    ``options`` are device, engine and the like. StorageError if a file cannot be written.
    """
    seeds: list[list[float]] = []
    try:
        for number in range(study.space.section.seeds):
            outcome = _train_seed(study, trial, number, options)
            if outcome.status == "interrupted":
                return TrialEnd("open", exit_code=outcome.exit_code)
            if outcome.status == "diverged":
                return TrialEnd("failed", reason=outcome.message.partition("; ")[0])
            record = read_record(outcome.path)
            whole = {name: getattr(record, name) for name in _OF_RUN}
            seeds.append(_objectives(study, outcome, whole))
            if record.stopped_by_callback:
                epochs = amount(record.epochs_done, "epoch")
                return TrialEnd("pruned", seeds, f"pruned after {epochs}")
    except StorageError:
        raise
    except _FAILURES as error:
        text = str(error) or "not enough memory"
        return TrialEnd("failed", reason=text.partition("\n")[0], error=error)
    if not all(math.isfinite(value) for values in seeds for value in values):
        return TrialEnd("failed", reason=f"its results are not finite: {seeds}")
    return TrialEnd("complete", seeds)


_OF_RUN = ("spikes_per_sample", "parameters", "seconds")
"""Objectives that are fields of ``RunRecord``."""


def _objectives(study: SweepStudy, outcome: Outcome, whole: dict[str, Any]) -> list[float]:
    assert outcome.best is not None, "a run that is done has a best epoch"
    values = outcome.scale.shown(outcome.best) | whole
    metrics = (objective.metric for objective in study.space.objectives)
    return [math.nan if values.get(name) is None else float(values[name]) for name in metrics]


def _train_seed(
    study: SweepStudy, trial: OpenTrial, number: int, options: TrainingOptions
) -> Outcome:
    space = study.space
    metric = space.objectives[0].metric

    def is_poor(metrics: dict[str, Any]) -> bool:
        return study.report(trial, metrics["epoch"], metrics[metric])

    prunes = space.section.prune is not None and number == 0
    options = replace(
        options,
        run_dir=run_folder(study.folder, trial, number),
        resume_or_start=True,
        is_trial=True,
        counts_spikes=any(each.metric == "spikes_per_sample" for each in space.objectives),
        callbacks=[is_poor] if prunes else [],
        progress="silent",
    )
    return train(changed_document(space, trial.variant, trial.values, number), options)


def run_folder(folder: Path, trial: OpenTrial, number: int) -> Path:
    return sweep_folder.trial(folder, trial.number) / f"seed{number}"


def changed_document(
    space: SweepSpace, variant: Variant, values: dict[str, Any], number: int
) -> Description:
    """Returns the document of a trial's training with one of its seeds, which count from 0."""
    check_files = functools.partial(check_data, sections=("layers", "weights"))
    overrides = space.overrides(variant, values, number)
    return require_valid(check_changed(space.description, overrides, check_files))
