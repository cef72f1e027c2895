"""Functions of the user that are called after each epoch."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.training_task import read_metrics, read_record, weights_of, write_task

import netdesc
from netdesc.report.page import Page
from netdesc.report.run import RunData
from netdesc.runs.state import SavedProgress, saved_progress


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


@pytest.mark.parametrize("off", [torch.no_grad, torch.inference_mode])
def test_training_computes_gradients_that_its_caller_has_switched_off(
    off: Any, task: Path, tmp_path: Path
) -> None:
    whole = netdesc.train(task, run_dir=tmp_path / "whole", progress="quiet")
    with off():
        run = netdesc.train(task, run_dir=tmp_path / "run", progress="quiet")
    assert weights_of(run.path) == weights_of(whole.path)


@pytest.mark.parametrize("callbacks", [3, "print", [print, 3]])
def test_callbacks_that_are_no_functions(callbacks: Any, task: Path, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="a function or a list of functions"):
        netdesc.train(task, run_dir=tmp_path / "run", callbacks=callbacks)
    assert not (tmp_path / "run").exists()


def test_a_callback_ends_training(task: Path, tmp_path: Path) -> None:
    run = netdesc.train(
        task,
        run_dir=tmp_path / "run",
        callbacks=[lambda metrics: metrics["epoch"] == 3, lambda metrics: None],
        progress="quiet",
    )
    assert (run.status, run.exit_code, len(run.metrics["epoch"])) == ("done", 0, 3)
    assert "stopped by a callback" in run.message
    assert (run.path / "network.net").exists()
    record = read_record(run.path)
    assert record["stopped_early"]
    assert record["stopped_by_callback"]
    assert "callback" in Page(RunData(run.path)).status.text
    again = netdesc.train(resume=run.path, progress="quiet")
    assert (again.status, again.best, again.final) == ("done", run.best, run.final)


@pytest.mark.parametrize("answer", [True, np.bool_(True), np.array(True), torch.tensor(True)])
def test_every_boolean_ends_training(answer: object, task: Path, tmp_path: Path) -> None:
    def stop(metrics: dict[str, Any]) -> object:
        return answer if metrics["epoch"] == 2 else ~torch.tensor(True)

    run = netdesc.train(task, run_dir=tmp_path / "run", callbacks=[stop], progress="quiet")
    assert len(run.metrics["epoch"]) == 2


@pytest.mark.parametrize("answer", ["go on", 1, np.ones(2, bool), torch.tensor(1.0)])
def test_an_answer_that_is_no_boolean(answer: object, task: Path, tmp_path: Path) -> None:
    def advise(metrics: dict[str, Any]) -> object:
        return answer

    with pytest.raises(TypeError, match=r"advise returned .* True to end training"):
        netdesc.train(task, run_dir=tmp_path / "run", callbacks=[advise], progress="quiet")


def test_callbacks_and_programs_may_change_the_working_directory(
    task: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    monkeypatch.chdir(tmp_path)
    run = netdesc.train(
        "task/tiny.json",
        run_dir="run",
        callbacks=[lambda metrics: os.chdir(other)],
        progress="quiet",
    )
    assert run.status == "done"
    os.chdir(tmp_path)
    again = netdesc.train(resume="run", progress="quiet")
    os.chdir(other)
    for each in (run, again):
        assert len(each.metrics["epoch"]) == 6
        assert each.report_path == tmp_path / "run" / "report.html"
        assert netdesc.evaluate(each).samples == netdesc.evaluate(tmp_path / "run").samples
        assert netdesc.compile(each).graph.name == "tiny"
    assert list(other.iterdir()) == []


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


@pytest.mark.parametrize("kind", [ZeroDivisionError, SystemExit, KeyboardInterrupt])
def test_what_a_callback_raises_loses_no_epoch(
    kind: type[BaseException], task: Path, tmp_path: Path
) -> None:
    def fail(metrics: dict[str, Any]) -> None:
        if metrics["epoch"] == 2:
            raise kind

    options: Any = {"run_dir": tmp_path / "run", "callbacks": [fail], "progress": "quiet"}
    if kind is KeyboardInterrupt:
        run = netdesc.train(task, **options)
        assert (run.status, run.exit_code) == ("interrupted", 130)
        assert "after 2 epochs is safe" in run.message
    else:
        with pytest.raises(kind) as error:
            netdesc.train(task, **options)
        assert f"--resume {tmp_path / 'run'}" in "".join(error.value.__notes__)
        assert read_record(tmp_path / "run")["status"] == "failed"
    assert saved_progress(tmp_path / "run") == SavedProgress(2, 0, 2)
    run = netdesc.train(resume=tmp_path / "run", progress="quiet")
    whole = netdesc.train(task, run_dir=tmp_path / "whole", progress="quiet")
    assert weights_of(run.path) == weights_of(whole.path)
