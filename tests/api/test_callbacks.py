"""Functions of the user that are called after each epoch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.training_task import read_metrics, read_record, weights_of, write_task

import netdesc
from netdesc.report.run import read_run
from netdesc.report.status import run_status
from netdesc.runs.state import saved_epochs


@pytest.fixture
def task(tmp_path: Path) -> Path:
    return write_task(tmp_path / "task", pairs=4, batch_size=2, checkpoint_every_s=0)


def test_a_callback_gets_the_metrics_of_each_epoch(task: Path, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = []
    order: list[str] = []

    def change(metrics: dict[str, Any]) -> None:
        order.append("change")
        metrics["spike_rates"].clear()

    run = netdesc.train(
        task,
        run_dir=tmp_path / "run",
        callbacks=[lambda metrics: order.append("first"), change, rows.append],
        progress="quiet",
    )
    assert order == ["first", "change"] * 6
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [row["loss"] for row in rows] == run.metrics["loss"].tolist()
    assert rows[0]["loss"] == read_metrics(run.path)[0]["loss"] / 4
    assert all(set(row["spike_rates"]) == {"hidden", "output"} for row in rows)
    assert rows[-1] == run.final
    plain = netdesc.train(task, run_dir=tmp_path / "plain", progress="quiet")
    assert weights_of(plain.path) == weights_of(run.path)


def test_a_single_callback_needs_no_list(task: Path, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = []
    netdesc.train(task, run_dir=tmp_path / "run", callbacks=rows.append, progress="quiet")
    assert len(rows) == 6


@pytest.mark.parametrize("callbacks", [3, "print", [print, 3]])
def test_callbacks_that_are_no_functions(callbacks: Any, task: Path, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="a function or a list of functions"):
        netdesc.train(task, run_dir=tmp_path / "run", callbacks=callbacks)
    assert not (tmp_path / "run").exists()


def test_a_callback_ends_training(task: Path, tmp_path: Path) -> None:
    run = netdesc.train(
        task,
        run_dir=tmp_path / "run",
        callbacks=[lambda metrics: metrics["epoch"] == 3, lambda metrics: "go on"],
        progress="quiet",
    )
    assert (run.status, run.exit_code, len(run.metrics["epoch"])) == ("done", 0, 3)
    assert "stopped by a callback" in run.message
    assert (run.path / "network.net").exists()
    record = read_record(run.path)
    assert record["stopped_early"]
    assert record["stopped_by_callback"]
    assert "callback" in run_status(read_run(run.path)).text
    again = netdesc.train(resume=run.path, progress="quiet")
    assert (again.status, again.best, again.final) == ("done", run.best, run.final)


def test_a_run_that_a_callback_ended_stays_ended_after_a_kill(
    task: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies after the last checkpoint, before ``run.json`` says how the run ended."""

    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    def train() -> netdesc.Run:
        stop = [lambda metrics: metrics["epoch"] == 2]
        return netdesc.train(task, run_dir=tmp_path / "run", callbacks=stop, progress="quiet")

    with monkeypatch.context() as patch:
        for name in ("_end_done", "_record_failure"):
            patch.setattr(f"netdesc.training.session.Session.{name}", die)
        with pytest.raises(Killed):
            train()
    run = netdesc.train(resume=tmp_path / "run", progress="quiet")
    assert (run.status, run.metrics["epoch"].tolist()) == ("done", [1, 2])


def test_an_error_of_a_callback_reaches_the_user_and_the_run_can_continue(
    task: Path, tmp_path: Path
) -> None:
    def fail(metrics: dict[str, Any]) -> None:
        if metrics["epoch"] == 2:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as error:
        netdesc.train(task, run_dir=tmp_path / "run", callbacks=[fail], progress="quiet")
    assert f"--resume {tmp_path / 'run'}" in "".join(error.value.__notes__)
    assert read_record(tmp_path / "run")["status"] == "failed"
    assert saved_epochs(tmp_path / "run") == 2
    run = netdesc.train(resume=tmp_path / "run", progress="quiet")
    whole = netdesc.train(task, run_dir=tmp_path / "whole", progress="quiet")
    assert weights_of(run.path) == weights_of(whole.path)
