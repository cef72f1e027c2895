"""Processes that share a sweep."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import optuna
import pytest
from support import sweep_samples
from support.sweep_samples import RATE, UNITS, VARIANTS, finish, loss_of, sweep_of

from netdesc.description import load
from netdesc.runs.errors import RunError
from netdesc.runs.sweep_table import SweepTable
from netdesc.sweeps.results import read_table
from netdesc.sweeps.study import EPOCHS, MAX_DEATHS, OpenTrial, SweepStudy, open_sweep


def settings(table: SweepTable) -> list[tuple[str, dict[str, Any]]]:
    return [(row.variant, row.values) for row in table.trials]


def take(study: SweepStudy) -> OpenTrial:
    trial = study.next_trial()
    assert trial is not None
    return trial


def alone(folder: Path, **sweep: Any) -> SweepTable:
    """The trials of one worker, which nothing disturbs."""
    folder.mkdir()
    with open_sweep(sweep_of(folder, **sweep), folder / "S") as study:
        finish(study)
        return study.table()


def test_a_sweep_begins_ends_and_is_read_again(tmp_path: Path) -> None:
    table = alone(tmp_path / "a", method="grid", trials=None)
    assert len(table.trials) == table.planned == 12
    assert [row.status for row in table.trials] == ["done"] * 12
    best = min(table.trials, key=lambda row: row.results or ())
    assert table.front == (best.number,)
    assert table.objectives == (("loss", False),)
    assert table.parameters == (RATE, UNITS)
    assert sum(table.importance.values()) == pytest.approx(1.0)
    assert read_table(tmp_path / "a/S") == table


@pytest.mark.parametrize("method", ["grid", "random", "qmc"])
def test_trials_are_equal_for_any_number_of_workers(method: str, tmp_path: Path) -> None:
    sweep: dict[str, Any] = {"method": method, "variants": VARIANTS, "trials": 20, "seed": 5}
    one = alone(tmp_path / "one", **sweep)
    description = sweep_of(tmp_path, **sweep)
    workers = [open_sweep(description, tmp_path / "S") for _ in range(3)]
    taken = [(worker, take(worker)) for worker in (*workers, *reversed(workers))]
    for worker, trial in reversed(taken):
        worker.tell(trial, [[loss_of(trial)]])
    for worker in workers:
        worker.close()
        with open_sweep(description, tmp_path / "S") as last:
            finish(last)
    together = read_table(tmp_path / "S")
    assert settings(together) == settings(one)
    other = alone(tmp_path / "other", **{**sweep, "seed": 6})
    assert (settings(other) == settings(one)) == (method == "grid")
    assert len({json.dumps(each) for each in settings(one)}) > 15
    assert {row.variant for row in one.trials} == {"plain", "narrow"}
    assert {row.status for row in together.trials} == {"done"}


@pytest.mark.parametrize("method", ["tpe", "nsga2"])
def test_one_worker_proposes_the_same_each_time_and_two_never(method: str, tmp_path: Path) -> None:
    sweep: dict[str, Any] = {"method": method, "trials": 30}
    tables = [alone(tmp_path / name, **sweep) for name in "ab"]
    assert settings(tables[0]) == settings(tables[1])
    with (
        open_sweep(load(tmp_path / "a/network.json"), tmp_path / "a/S", add_trials=2) as one,
        open_sweep(load(tmp_path / "a/network.json"), tmp_path / "a/S") as other,
    ):
        assert take(one).values != take(other).values


@pytest.mark.parametrize("workers", [pytest.param(2, marks=pytest.mark.slow), 4])
def test_killed_workers_lose_no_trial_and_double_none(workers: int, tmp_path: Path) -> None:
    sweep: dict[str, Any] = {"method": "random", "trials": 40, "variants": VARIANTS}
    sweep_of(tmp_path, **sweep)
    script = [sys.executable, sweep_samples.__file__, str(tmp_path), str(workers), "20"]
    path = {"PYTHONPATH": str(Path(sweep_samples.__file__).parents[1])}
    subprocess.run(script, check=True, env=path, timeout=300)
    table = read_table(tmp_path / "S")
    undisturbed = alone(tmp_path / "alone", **sweep)
    assert settings(table) == settings(undisturbed)
    assert [row.results for row in table.trials] == [row.results for row in undisturbed.trials]
    assert {row.status for row in table.trials} == {"done"}
    lines = [json.loads(line) for line in (tmp_path / "S/journal.log").open()]
    ends = [line["trial_id"] for line in lines if line.get("state") == 1]
    assert sorted(ends) == list(range(40))


def test_the_next_worker_resumes_the_trial_of_a_dead_one(tmp_path: Path) -> None:
    description, folder = sweep_of(tmp_path), tmp_path / "S"
    with open_sweep(description, folder) as one, open_sweep(description, folder) as other:
        first, second = take(one), take(other)
        assert (first.number, second.number) == (0, 1)
        one.close()
        assert other.next_trial() == first
        one.tell(first, [[7.0]])  # it has lost the trial
        assert [row.status for row in one.table().trials] == ["running"] * 2


def test_a_trial_that_kills_its_workers_fails(tmp_path: Path) -> None:
    description, folder = sweep_of(tmp_path), tmp_path / "S"
    workers = [open_sweep(description, folder) for _ in range(MAX_DEATHS + 1)]
    for number, worker in enumerate(workers):
        assert take(worker).number == number // MAX_DEATHS
        shutil.rmtree(folder / "workers")  # as if it were dead
    table = read_table(folder)
    assert [row.status for row in table.trials] == ["failed", "waiting"]
    assert table.trials[0].reason


def test_a_trial_with_a_checkpoint_is_resumed_however_often_workers_die(tmp_path: Path) -> None:
    description, folder = sweep_of(tmp_path), tmp_path / "S"
    workers = [open_sweep(description, folder) for _ in range(MAX_DEATHS + 2)]
    for worker in workers:
        assert take(worker).number == 0
        checkpoints = folder / "trials/0000/seed0/checkpoints"
        checkpoints.mkdir(parents=True, exist_ok=True)
        (checkpoints / "last.state").touch()
        shutil.rmtree(folder / "workers")


def test_the_plan_is_kept_by_all_workers(tmp_path: Path) -> None:
    description, folder = sweep_of(tmp_path, method="grid", trials=3), tmp_path / "S"
    with open_sweep(description, folder) as one:
        finish(one)
        assert one.table().planned == 3
        open_sweep(description, folder, add_trials=2)
        finish(one)
        assert len(one.table().trials) == 5
        open_sweep(description, folder, trials=6, add_trials=1)
        finish(one)
        assert len(one.table().trials) == 7
        open_sweep(description, folder, add_trials=100)
        assert one.table().planned == 12


@pytest.mark.parametrize("prune", ["hyperband", "median"])
def test_a_poor_trial_is_pruned_and_a_good_one_is_not(prune: str, tmp_path: Path) -> None:
    description = sweep_of(tmp_path, prune={"type": prune, "min_epochs": 3})
    ended: list[int] = []
    with open_sweep(description, tmp_path / "S") as study:
        while (trial := study.next_trial()) is not None:
            loss = 100.0 if trial.number == 11 else 1.0 - trial.number / 100
            epochs = (epoch for epoch in range(1, 28) if study.report(trial, epoch, loss))
            ended.append(next(epochs, 0))
            again = (epoch for epoch in range(1, 28) if study.report(trial, epoch, 0.0))
            assert next(again, 0) == ended[-1], "a resumed trial is told the same"
            study.tell(trial, [[loss]], "pruned" if ended[-1] else "done")
        table = study.table()
    assert ended[11] >= 3
    assert ended[:11] == [0] * 11
    assert [row.status for row in table.trials] == ["done"] * 11 + ["pruned"]
    assert table.trials[11].results == (100.0,)


@pytest.mark.parametrize("prune", ["hyperband", "median"])
def test_no_trial_is_pruned_after_its_last_epoch(prune: str, tmp_path: Path) -> None:
    variants = [{"name": "v", "set": {EPOCHS: 9}}]
    description = sweep_of(tmp_path, prune={"type": prune}, variants=variants)
    with open_sweep(description, tmp_path / "S") as study:
        while (trial := study.next_trial()) is not None:
            assert not study.report(trial, 9, float(trial.number))
            study.tell(trial, [[float(trial.number)]])


def test_results_are_medians_with_spreads_and_finite(tmp_path: Path) -> None:
    goals = [{"minimize": "loss"}, {"minimize": "seconds"}]
    with open_sweep(sweep_of(tmp_path, objectives=goals), tmp_path / "S") as study:
        trials = [take(study) for _ in range(2)]
        study.tell(trials[0], [[1, 9], [5, 7], [2, 8]])
        study.tell(trials[1], [[float("nan"), 1.0]])
        study.tell(trials[1], [[1.0, 1.0]])  # too late
        done, failed, *_ = study.table().trials
    assert (done.status, done.results, done.spreads) == ("done", (2, 8), (4, 2))
    assert (failed.status, failed.spreads) == ("failed", None)
    assert failed.reason


def test_a_folder_of_another_sweep_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    open_sweep(sweep_of(tmp_path), tmp_path / "S")
    before = sorted(path.name for path in (tmp_path / "S").iterdir())
    for change, word in (({"seed": 7}, "sweep.seed"), ({"trials": 13}, "--trials")):
        with pytest.raises(RunError, match=word) as error:
            open_sweep(sweep_of(tmp_path / "other", **change), tmp_path / "S")
        assert error.value.exit_code == 2
    assert sorted(path.name for path in (tmp_path / "S").iterdir()) == before
    with pytest.raises(RunError) as error:
        open_sweep(sweep_of(tmp_path), tmp_path)
    assert error.value.exit_code == 2
    assert not list(tmp_path.glob("journal*"))


@pytest.mark.parametrize("change", [{"format": 2}, {"document": "{}"}, {"sha256": 1}, None])
def test_wrong_files_of_sweeps_are_refused(change: dict[str, Any] | None, tmp_path: Path) -> None:
    description, path = sweep_of(tmp_path), tmp_path / "S/sweep.json"
    open_sweep(description, tmp_path / "S")
    text = json.dumps({**json.loads(path.read_text()), **change}) if change else "[" * 100_000
    path.write_text(text)
    with pytest.raises(RunError, match=r"sweep\.json"):
        open_sweep(description, tmp_path / "S")
    with pytest.raises(RunError, match=r"sweep\.json"):
        read_table(tmp_path / "S")


def test_a_lost_journal_is_noticed_and_a_missing_sweep(tmp_path: Path) -> None:
    description, folder = sweep_of(tmp_path), tmp_path / "S"
    open_sweep(description, folder)
    (folder / "trials").mkdir()
    (folder / "journal.log").unlink()
    with pytest.raises(RunError):
        open_sweep(description, folder)
    with pytest.raises(RunError) as error:
        read_table(tmp_path / "nothing")
    assert error.value.exit_code == 3


def test_optuna_itself_reads_the_journal(tmp_path: Path) -> None:
    table = alone(tmp_path / "a", variants=VARIANTS)
    backend = optuna.storages.journal.JournalFileBackend(str(tmp_path / "a/S/journal.log"))
    study = optuna.load_study(study_name=None, storage=optuna.storages.JournalStorage(backend))
    assert study.best_trial.number == table.front[0]


def test_what_installs_optuna_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna.storages.journal", None)
    with pytest.raises(RunError, match=r"netdesc\[sweep\]") as error:
        open_sweep(sweep_of(tmp_path), tmp_path / "S")
    assert error.value.exit_code == 3
