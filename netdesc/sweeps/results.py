"""Reads the folder of a sweep: its document, its trials, and which of them are best."""

import contextlib
import hashlib
import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, cast

from netdesc.description.load import check_text, require_valid
from netdesc.description.source import MAX_BYTES, Source
from netdesc.description.sweep_space import SweepSpace, sweep_space
from netdesc.runs.errors import RunError
from netdesc.runs.folder import read_text
from netdesc.runs.process_lock import is_at_work
from netdesc.runs.sweep_table import SweepTable, TrialRow, TrialStatus
from netdesc.sweeps.journal import Journal, damaged

if TYPE_CHECKING:
    from optuna.storages.journal import JournalStorage
    from optuna.study import Study
    from optuna.trial import FrozenTrial

SWEEP_FILE, JOURNAL, WORKERS, TRIALS = "sweep.json", "journal.log", "workers", "trials"
FORMAT = 1
STUDY = "sweep"


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


def open_storage(journal: Journal) -> "JournalStorage":
    """Reads the journal into Optuna's storage. RunError if it is damaged."""
    from optuna.storages.journal import JournalStorage

    try:
        return JournalStorage(cast("Any", journal))
    except RunError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, AssertionError) as error:
        raise damaged(str(journal.path)) from error


def read_space(folder: Path) -> SweepSpace:
    """Reads the document of a sweep. RunError if the file is missing or of another version."""
    path = folder / SWEEP_FILE
    if not folder.is_dir() or not path.exists():
        begin = f"netdesc sweep DOCUMENT.json --dir {quote(str(folder))}"
        text = f"{folder} is no sweep: there is no {SWEEP_FILE} in it; one begins with: {begin}"
        raise RunError(text, exit_code=3)
    try:
        content = json.loads(read_text(path, 8 * MAX_BYTES))
        form, text, document = content["format"], content["document"], Path(content["path"])
        is_whole = hashlib.sha256(text.encode()).hexdigest() == content["sha256"]
    except RunError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        form, text, document, is_whole = FORMAT, "", path, False
    if form != FORMAT or not is_whole:
        what = "is damaged" if form == FORMAT else f"has format {form}, and this netdesc {FORMAT}"
        way = "restore it, go on with the netdesc that wrote it, or name another folder"
        raise RunError(f"{path} {what}; {way}")
    return sweep_space(require_valid(check_text(Source(text, str(path)), document)))


def trial_folder(folder: Path, number: int) -> Path:
    """Returns the folder of a trial, in which each seed has the folder of a run, as ``seed0``."""
    return folder / TRIALS / f"{number:04}"


def is_abandoned(folder: Path, trial: "FrozenTrial") -> bool:
    """Whether no process is at work on a trial that has not ended."""
    owner = Path(trial.user_attrs.get("owner", "")).name
    if owner and is_at_work(folder / WORKERS / owner) is not False:
        return False
    return not any(is_at_work(run) for run in trial_folder(folder, trial.number).glob("seed*"))


def read_table(folder: Path) -> SweepTable:
    """Reads the trials of the sweep in ``folder``, which it does not change.

    RunError if there is no sweep, if it is damaged, or if Optuna is missing.
    """
    with quiet_optuna():
        import optuna

        space, trials = read_space(folder), list["FrozenTrial"]()
        planned, importance = space.trials, dict[str, float]()
        storage = open_storage(Journal(folder / JOURNAL))
        if storage.get_all_studies():
            study = optuna.load_study(study_name=STUDY, storage=storage)
            planned, trials = study.user_attrs["planned"], study.get_trials(deepcopy=False)
            importance = _importance(study)
    rows = tuple(_row(folder, trial) for trial in trials)
    done = [(row.number, row.results) for row in rows if row.status == "done" and row.results]
    maximize = [objective.maximize for objective in space.objectives]
    front = pareto_front([results for _, results in done], maximize)
    paths = dict.fromkeys(each.path for variant in space.variants for each in variant.parameters)
    return SweepTable(
        name=space.description.document.name,
        folder=folder,
        objectives=tuple((each.metric, each.maximize) for each in space.objectives),
        parameters=tuple(paths),
        trials=rows,
        front=tuple(done[index][0] for index in front),
        importance=importance,
        planned=planned,
    )


def _row(folder: Path, trial: "FrozenTrial") -> TrialRow:
    attrs = trial.user_attrs
    ended: dict[str, TrialStatus] = {"COMPLETE": "done", "PRUNED": "pruned", "FAIL": "failed"}
    status = ended.get(trial.state.name)
    runs = trial_folder(folder, trial.number).glob("seed*")
    by_objective = list(zip(*attrs.get("seeds", []), strict=True))
    return TrialRow(
        number=trial.number,
        variant=attrs["variant"],
        values=attrs["values"],
        status=status or ("waiting" if is_abandoned(folder, trial) else "running"),
        results=tuple(attrs.get("results", ())) or None,
        spreads=tuple(max(values) - min(values) for values in by_objective) or None,
        reason=attrs.get("reason", ""),
        folders=tuple(str(run.relative_to(folder)) for run in sorted(runs, key=_natural)),
    )


def _natural(run: Path) -> tuple[int, str]:
    return len(run.name), run.name


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
    """Returns the parameters' importance for the first objective, as shares of their sum.

    It is that of PED-ANOVA: S. Watanabe, A. Bansal and F. Hutter, IJCAI 2023.
    """
    from optuna.importance import get_param_importances

    with contextlib.suppress(ValueError, RuntimeError):  # too few trials
        return get_param_importances(study, target=lambda trial: trial.values[0])
    return {}
