"""The metrics for TensorBoard, read back by TensorBoard."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from support.cli_process import exit_code
from support.training_task import read_metrics, write_task
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import netdesc
from netdesc.runs.errors import StorageError
from netdesc.training.tensorboard import TensorBoardLog


def read_scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Tag -> (step, value) in the order of the steps."""
    log = EventAccumulator(str(folder), {"scalars": 0}).Reload()
    return {
        tag: [(each.step, each.value) for each in log.Scalars(tag)] for tag in log.Tags()["scalars"]
    }


def test_the_command_writes_the_metrics_of_each_epoch(tmp_path: Path, capsys: Any) -> None:
    task = write_task(tmp_path / "task", pairs=4, validation_split=0.5, epochs=3)
    folder = tmp_path / "run"
    assert exit_code("train", task, "--run-dir", folder, "--tensorboard", "--quiet") == 0
    scalars = read_scalars(folder / "tensorboard")
    rows = read_metrics(folder)
    assert [step for step, _ in scalars["loss/train"]] == [1, 2, 3]
    expected = {
        "loss/train": [row["loss"] / 2 for row in rows],
        "loss/validation": [row["validation_loss"] / 2 for row in rows],
        "learning_rate": [row["learning_rate"] for row in rows],
        "spike_rate/hidden": [row["spike_rates"]["hidden"] for row in rows],
        "gradient_norm/output": [row["gradient_norms"]["output"] for row in rows],
    }
    for tag, values in expected.items():
        assert [value for _, value in scalars[tag]] == pytest.approx(values, rel=1e-6)


def test_a_run_in_the_default_folder_has_its_files_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    task = write_task(tmp_path / "task", epochs=1)
    monkeypatch.chdir(tmp_path)
    assert exit_code("train", task, "--tensorboard", "--json") == 0
    folder = Path(json.loads(capsys.readouterr().out)["run"])
    assert folder.parent == Path("runs/tiny")
    assert len(list((folder / "tensorboard").iterdir())) == 1


def test_epochs_that_are_repeated_after_a_kill_are_shown_once(tmp_path: Path) -> None:
    for epochs, loss in ((range(1, 9), 1.0), (range(5, 7), 2.0)):
        log = TensorBoardLog(tmp_path / "tensorboard")
        for epoch in epochs:
            log({"epoch": epoch, "loss": loss})
        log.close()
    assert read_scalars(tmp_path / "tensorboard") == {
        "loss/train": [(1, 1.0), (2, 1.0), (3, 1.0), (4, 1.0), (5, 2.0), (6, 2.0)]
    }


def test_a_missing_package_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    for name in [*sys.modules]:
        if name.startswith(("torch.utils.tensorboard", "netdesc.training.tensorboard")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    task = write_task(tmp_path / "task", epochs=1)
    assert exit_code("train", task, "--run-dir", tmp_path / "run", "--tensorboard") == 3
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "pip install tensorboard" in lines[0]
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_written_ends_the_run_with_one_message(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    task = write_task(tmp_path / "task", epochs=1)
    with pytest.raises(StorageError, match="cannot write"):
        netdesc.train(
            task,
            run_dir=tmp_path / "run",
            callbacks=[TensorBoardLog(tmp_path / "file" / "logs")],
            progress="quiet",
        )
