"""Reads the trials of a sweep from its journal, and finds which of them are best."""

import contextlib
import logging
import statistics
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from netdesc.description.sweep_space import SweepSpace
from netdesc.runs.errors import RunError
from netdesc.runs.process_lock import is_at_work
from netdesc.runs.sweep_table import SweepTable, TrialRow, TrialStatus
from netdesc.sweeps import sweep_folder
from netdesc.sweeps.journal import Journal, damaged

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial

STATES: dict[TrialStatus, str] = {"done": "COMPLETE", "pruned": "PRUNED", "failed": "FAIL"}
"""Optuna's name for the state of a trial that has ended."""


@contextlib.contextmanager
def quiet_optuna() -> Iterator[None]:
    """Keeps messages about our calls of Optuna from the user. RunError if it is not installed."""
    try:
        import optuna.storages.journal
    except ImportError as error:
        way = 'pip install "netdesc[sweep]"'
        raise RunError(f"sweeps need Optuna 5 ({error}): {way}", exit_code=3) from error
    logger = logging.getLogger(optuna.__name__)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logger.setLevel(level)


def load_study(journal: Journal, space: SweepSpace) -> "Study":
    """Loads Optuna's study, or creates it. RunError if the journal is damaged or missing."""
    import optuna

    pruner = optuna.pruners.NopPruner()  # others would hide trials from the sampler
    names = [variant.name for variant in space.variants]
    try:
        storage = optuna.storages.JournalStorage(cast("Any", journal))
        if storage.get_all_studies():
            study = optuna.load_study(study_name=None, storage=storage, pruner=pruner)
            for attrs in (trial.user_attrs for trial in study.get_trials(deepcopy=False)):
                _ = names.index(attrs["variant"]), Path(attrs["owner"]), dict(attrs["values"])
            _ = range(study.user_attrs["planned"])
            return study
    except RunError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, AssertionError) as error:
        raise damaged(str(journal.path)) from error
    if (journal.path.parent / sweep_folder.TRIALS).exists():
        way = "restore it from a copy, or name another folder"
        raise RunError(f"{journal.path} is missing, but there are trials; {way}")
    ways = optuna.study.StudyDirection
    maximize = [objective.maximize for objective in space.objectives]
    storage.create_new_study([ways.MAXIMIZE if m else ways.MINIMIZE for m in maximize], "sweep")
    return optuna.load_study(study_name=None, storage=storage, pruner=pruner)


def is_abandoned(folder: Path, trial: "FrozenTrial") -> bool:
    """Whether no process is at work on a trial that has not ended."""
    owner = Path(trial.user_attrs["owner"]).name
    if owner and is_at_work(folder / sweep_folder.WORKERS / owner) is not False:
        return False
    return not any(is_at_work(run) for run in _runs(folder, trial.number))


def _runs(folder: Path, number: int) -> list[Path]:
    runs = sweep_folder.trial(folder, number).glob("seed*")
    return sorted(runs, key=lambda run: (len(run.name), run.name))


def read_table(folder: Path) -> SweepTable:
    """Reads the trials of the sweep in ``folder``, which it does not change.

    RunError if there is no sweep, if it is damaged, or if Optuna is missing.
    """
    with quiet_optuna():
        space, journal = sweep_folder.read(folder), Journal(folder / sweep_folder.JOURNAL)
        has_begun = bool(journal.read_logs(0))
        study = load_study(journal, space) if has_begun else None
        trials = study.get_trials(deepcopy=False) if study else []
        importance = _importance(study) if study else {}
    rows = tuple(trial_row(folder, trial) for trial in trials)
    done = [(row.number, row.results) for row in rows if row.status == "done" and row.results]
    maximize = [objective.maximize for objective in space.objectives]
    front = pareto_front([results for _, results in done], maximize)
    return SweepTable(
        name=space.description.document.name,
        folder=folder,
        objectives=space.objectives,
        parameters=tuple(space.paths),
        trials=rows,
        front=tuple(done[index][0] for index in front),
        importance=importance,
        planned=study.user_attrs["planned"] if study else space.trials,
    )


def trial_row(folder: Path, trial: "FrozenTrial") -> TrialRow:
    """Returns the row of a trial in the study of the sweep in ``folder``."""
    attrs = trial.user_attrs
    ended: dict[str, TrialStatus] = {state: status for status, state in STATES.items()}
    by_objective = list(zip(*attrs.get("seeds", []), strict=True))
    return TrialRow(
        number=trial.number,
        variant=attrs["variant"],
        values=attrs["values"],
        status=ended.get(trial.state.name)
        or ("waiting" if is_abandoned(folder, trial) else "running"),
        results=tuple(map(statistics.median, by_objective)) or None,
        spreads=tuple(max(values) - min(values) for values in by_objective) or None,
        reason=attrs.get("reason", ""),
        folders=tuple(str(run.relative_to(folder)) for run in _runs(folder, trial.number)),
    )


def pareto_front(results: Sequence[Sequence[float]], maximize: Sequence[bool]) -> list[int]:
    """Returns the indices of the results that no other one beats, from the best of the first on.

    A result beats another if it is at least as good in all objectives and better in one. With one
    objective, the front is the first of the best results.
    """
    signs = [-1 if is_high else 1 for is_high in maximize]
    costs = [[sign * x for sign, x in zip(signs, row, strict=True)] for row in results]
    front: list[int] = []
    for index in sorted(range(len(costs)), key=costs.__getitem__):  # what beats it comes before it
        beats = (costs[at] for at in front if costs[at] != costs[index])
        if not any(all(a <= b for a, b in zip(x, costs[index], strict=True)) for x in beats):
            front.append(index)
    return front[:1] if len(maximize) == 1 else front


def _importance(study: "Study") -> dict[str, float]:
    """Returns the parameters' importance for the first objective, as shares of their sum. It is
    that of PED-ANOVA: S. Watanabe, A. Bansal and F. Hutter, IJCAI 2023."""
    from optuna.importance import get_param_importances

    with contextlib.suppress(ValueError, RuntimeError):  # too few trials
        return get_param_importances(study, target=lambda trial: trial.values[0])
    return {}
