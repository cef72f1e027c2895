"""A sweep that many processes carry out together: each takes trials and tells their results.

All changes are transactions of the journal. So a trial belongs to one worker, and no more trials
begin than are planned. A worker keeps a folder in ``workers`` locked while it lives. When it ends,
others see that, and the next one takes over its trial.
"""

import contextlib
import hashlib
import json
import math
import re
import secrets
import shutil
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

from netdesc import __version__
from netdesc.atomic_write import is_temporary
from netdesc.description import Description
from netdesc.description.json_pointer import ABSENT, dotted, leaves
from netdesc.description.overrides import json_text
from netdesc.description.sweep_space import SweepSpace, Variant, sweep_space
from netdesc.runs.errors import RunError, storing
from netdesc.runs.folder import CHECKPOINTS, STATE, write_file
from netdesc.runs.process_lock import Worker, lock_folder
from netdesc.runs.sweep_table import SweepTable
from netdesc.sweeps.journal import Journal, LockLostError
from netdesc.sweeps.results import (
    FORMAT,
    JOURNAL,
    STUDY,
    SWEEP_FILE,
    TRIALS,
    WORKERS,
    is_abandoned,
    open_storage,
    quiet_optuna,
    read_space,
    read_table,
    trial_folder,
)

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.study import Study
    from optuna.trial import FrozenTrial, Trial

MAX_DEATHS = 3
"""Number of workers that may die at a trial before its first checkpoint."""

Result = TypeVar("Result")


class OpenTrial(NamedTuple):
    """A trial to train: what its ``variant`` sets, and its own values by their paths.

    ``is_resumed`` says whether another worker had it before.
    """

    number: int
    variant: Variant
    values: dict[str, Any]
    is_resumed: bool


def open_sweep(
    description: Description, folder: Path, add_trials: int = 0, trials: int | None = None
) -> "SweepStudy":
    """Starts the sweep of a document in ``folder``, or joins it.

    ``trials`` replaces the number of planned trials, and ``add_trials`` is added to it. The section
    ``sweep`` has no errors. RunError if the folder holds something else, with exit code 2, or if
    Optuna is missing, with exit code 3.
    """
    study = SweepStudy(sweep_space(description), folder)
    study.start(add_trials, trials)
    return study


class SweepStudy:
    """The sweep in a folder, as one worker sees it. Not for several threads."""

    def __init__(self, space: SweepSpace, folder: Path) -> None:
        self.space, self.folder = space, folder
        self._worker = ""
        self._at_end = contextlib.ExitStack()
        self._journal = Journal(folder / JOURNAL)
        self._opened: Study | None = None
        with quiet_optuna():
            self._pruner = _pruner(space)

    def __enter__(self) -> "SweepStudy":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends this worker; another one can take over a trial that it has not told."""
        if self._worker:
            folder, worker, self._worker = self.folder / WORKERS / self._worker, self._worker, ""
            self._at_end.close()
            self._change(lambda study: self._release(study, worker))
            shutil.rmtree(folder, ignore_errors=True)

    def start(self, add_trials: int, trials: int | None) -> None:
        """Writes what a new sweep needs, or checks the old one, and changes its plan."""
        with storing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._require_sweep_or_nothing()

        def plan(study: "Study") -> None:
            old = study.user_attrs.get("planned", self.space.trials)
            planned = (old if trials is None else trials) + add_trials
            if self.space.method == "grid":
                planned = min(planned, self.space.grid_size())
            if planned != study.user_attrs.get("planned"):
                study.set_user_attr("planned", planned)

        self._change(plan)

    def next_trial(self) -> OpenTrial | None:
        """Returns a trial for this worker: one that no worker has any more, else a new one.

        None if all planned trials are taken.
        """
        if not self._worker:
            here = Worker.here()
            host = re.sub(r"[^\w-]", "_", here.host)[:60]
            worker = f"{host}-{here.pid}-{secrets.token_hex(4)}"
            with storing(self.folder / WORKERS):
                (self.folder / WORKERS / worker).mkdir(parents=True)
            self._at_end.enter_context(lock_folder(self.folder / WORKERS / worker))
            self._worker = worker
        return self._change(self._take)

    def report(self, trial: OpenTrial, epoch: int, value: float) -> bool:
        """Returns whether to prune a trial whose objective is ``value`` after ``epoch`` epochs."""
        pruner = self._pruner
        if pruner is None:
            return False

        def add(study: "Study") -> bool:
            if not self._has(study, trial.number):
                return False  # the worker that took it over reports
            _trial(study, trial.number).report(float(value), epoch)
            return pruner.prune(study, study.get_trials(deepcopy=False)[trial.number])

        return self._change(add, is_durable=False)

    def tell(
        self,
        trial: OpenTrial,
        values: Sequence[float] | None,
        state: Literal["complete", "pruned", "failed"],
        reason: str = "",
        seeds: Sequence[Sequence[float]] = (),
    ) -> None:
        """Ends a trial with its objectives, by default the medians of those of its ``seeds``.

        If they are not finite, the trial has failed. If another worker has taken over the trial,
        nothing happens.
        """
        results = list(values or map(statistics.median, zip(*seeds, strict=True)))
        if state == "complete" and not all(map(math.isfinite, results)):
            state, reason = "failed", f"its results are not finite: {results}"
        attrs = {"reason": reason, "seeds": [list(each) for each in seeds], "results": results}

        def end(study: "Study") -> None:
            if self._has(study, trial.number):
                _end(study, trial.number, state, attrs)

        self._change(end)

    def table(self) -> SweepTable:
        """Returns all trials of all workers."""
        return read_table(self.folder)

    def _change(self, action: Callable[["Study"], Result], is_durable: bool = True) -> Result:
        """Calls ``action`` in a transaction of the journal."""
        while True:
            try:
                with quiet_optuna(), self._journal.transaction(is_durable):
                    return action(self._study())
            except LockLostError:
                self._opened = None
            except BaseException:
                self._opened = None  # it contains changes that did not reach the file
                raise

    def _study(self) -> "Study":
        import optuna

        if self._opened is None:
            self._write_sweep_file()
            storage = open_storage(self._journal)
            if not storage.get_all_studies():
                if (self.folder / TRIALS).exists():
                    way = "restore it from a copy, or name another folder"
                    raise RunError(f"{self._journal.path} is missing, but there are trials; {way}")
                ways = optuna.study.StudyDirection
                maximize = [each.maximize for each in self.space.objectives]
                directions = [ways.MAXIMIZE if best else ways.MINIMIZE for best in maximize]
                storage.create_new_study(directions, STUDY)
            pruner = optuna.pruners.NopPruner()  # others would hide trials from the sampler
            self._opened = optuna.load_study(study_name=STUDY, storage=storage, pruner=pruner)
        return self._opened

    def _require_sweep_or_nothing(self) -> None:
        own = {JOURNAL, "journal.lock", "journal.owner"}
        names = {path.name for path in self.folder.iterdir() if not is_temporary(path.name)}
        if SWEEP_FILE not in names and names - own:
            text = f"{self.folder} is not empty, and holds no sweep; name another folder"
            raise RunError(text, exit_code=2)

    def _write_sweep_file(self) -> None:
        from optuna import __version__ as optuna_version

        path, description = self.folder / SWEEP_FILE, self.space.description
        if path.exists():
            _require_same(read_space(self.folder), self.space, self.folder)
            return
        is_changed = bool(description.source_map.overridden)
        text = json_text(description.source_map.data, 2) if is_changed else description.text
        content = {
            "format": FORMAT,
            "path": str(description.path),
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
            "versions": {"netdesc": __version__, "optuna": optuna_version},
            "document": text,
        }
        write_file(path, json_text(content, 2).encode() + b"\n")

    def _has(self, study: "Study", number: int) -> bool:
        """Whether this worker has the trial; not if it has ended, or if another one took it."""
        trial = study.get_trials(deepcopy=False)[number]
        return not trial.state.is_finished() and trial.user_attrs["owner"] == self._worker

    def _release(self, study: "Study", worker: str) -> None:
        for trial in _unfinished(study):
            if trial.user_attrs["owner"] == worker:
                _set(study, trial.number, {"owner": ""})

    def _take(self, study: "Study") -> OpenTrial | None:
        from netdesc.sweeps.samplers import propose

        variants = {variant.name: variant for variant in self.space.variants}
        for trial in _unfinished(study):
            if is_abandoned(self.folder, trial):
                number, attrs = trial.number, trial.user_attrs
                states = trial_folder(self.folder, number).glob(f"*/{CHECKPOINTS}/{STATE}")
                is_lost = attrs["owner"] != "" and not any(states)
                deaths = attrs.get("deaths", 0) + 1 if is_lost else 0
                if deaths < MAX_DEATHS:
                    _set(study, number, {"owner": self._worker, "deaths": deaths})
                    return OpenTrial(number, variants[attrs["variant"]], attrs["values"], True)
                text = f"{deaths} workers ended before its first checkpoint, as if killed"
                _end(study, number, "failed", {"reason": text})
        number = len(study.get_trials(deepcopy=False))
        if number >= study.user_attrs["planned"]:
            return None
        _, variant, values = propose(study, self.space, number)
        _set(study, number, {"owner": self._worker, "variant": variant.name, "values": values})
        return OpenTrial(number, variant, values, False)


def _unfinished(study: "Study") -> "list[FrozenTrial]":
    return [trial for trial in study.get_trials(deepcopy=False) if not trial.state.is_finished()]


def _trial(study: "Study", number: int) -> "Trial":
    from optuna.trial import Trial

    return Trial(study, number)  # the id of a trial is its number in a storage of one study


def _set(study: "Study", number: int, attrs: dict[str, Any]) -> None:
    for name, value in attrs.items():
        _trial(study, number).set_user_attr(name, value)


def _end(study: "Study", number: int, state: str, attrs: dict[str, Any]) -> None:
    from optuna.trial import TrialState

    _set(study, number, attrs)
    states = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED}
    values = attrs["results"] if state == "complete" else None
    study.tell(number, values, states.get(state, TrialState.FAIL))


def _pruner(space: SweepSpace) -> "BasePruner | None":
    from optuna.pruners import HyperbandPruner, MedianPruner

    section = space.section.prune
    if section is None or len(space.objectives) > 1:
        return None
    if section.type == "median":
        return MedianPruner(n_startup_trials=5, n_warmup_steps=section.min_epochs)
    epochs = max(space.description.document.training.epochs, section.min_epochs)
    return HyperbandPruner(section.min_epochs, epochs)


def _require_same(old: SweepSpace, new: SweepSpace, folder: Path) -> None:
    """Raises RunError, which says what differs, if these are different documents."""
    a, b = (space.description.source_map.data for space in (old, new))
    pairs = [*leaves(a, b), *((at, value, other) for at, other, value in leaves(b, a))]
    texts = {
        dotted(at): f"{dotted(at)} is {_json(value)}, but {_json(other)} in the document"
        for at, value, other in pairs
        if value != other
    }
    if texts:
        is_plan = [*texts] == ["sweep.trials"]
        way = "change it with --trials, such as --trials +20, or " if is_plan else ""
        listed = "; ".join([*texts.values()][:8]) + (" …" if len(texts) > 8 else "")
        text = f"{folder} holds a sweep of another document: {listed}; {way}name another folder"
        raise RunError(text, exit_code=2)


def _json(value: Any) -> str:
    return "not set" if value is ABSENT else json.dumps(value, ensure_ascii=False)
