"""Resuming runs whose files were deleted or emptied: nothing that is left is lost."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.cli_process import Netdesc
from support.training_task import read_record, write_task

import netdesc as package
from netdesc.kernels import machine
from netdesc.report import ReportError
from netdesc.training.errors import ResumeError

CHECKPOINTS = Path("checkpoints")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound")
    document = write_task(folder / "task", epochs=4)
    return package.train(package.load(document), run_dir=folder / "run", progress="quiet").path


@pytest.fixture
def run(sound: Path, tmp_path: Path) -> Path:
    shutil.copytree(sound.parent, tmp_path, dirs_exist_ok=True)
    return tmp_path / "run"


def contents(run: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}


def delete(run: Path, *names: str | Path) -> None:
    for name in names:
        (run / name).unlink()


def test_a_done_run_without_its_last_checkpoint_keeps_what_it_has(
    netdesc: Netdesc, run: Path
) -> None:
    network = (run / "network.net").read_bytes()
    delete(run, CHECKPOINTS / "last.state", CHECKPOINTS / "last.safetensors", "network.net")
    report = (run / "report.html").read_bytes()
    (run / "report.html").write_bytes(b"")
    kept = contents(run)
    outcome = netdesc("train", "--resume", run)
    assert outcome.code == 0
    assert outcome.err.count("warning") == 1
    assert "checkpoints/last.state, checkpoints/last.safetensors" in outcome.err
    assert (run / "network.net").read_bytes() == network
    assert len((run / "report.html").read_bytes()) > 0.9 * len(report)
    found = contents(run)
    changed = {path.name for path in kept if found[path] != kept[path]}
    assert changed - {".lock"} == {"report.html", "train.log"}
    assert found.keys() - kept.keys() == {run / "network.net"}


@pytest.mark.parametrize("also", [[], ["network.net", "report.html"]])
def test_a_done_run_without_checkpoints_is_refused_and_not_changed(
    netdesc: Netdesc, run: Path, also: list[str]
) -> None:
    shutil.rmtree(run / CHECKPOINTS)
    delete(run, *also)
    before = contents(run)
    outcome = netdesc("train", "--resume", run)
    assert (outcome.code, outcome.err.count("\n")) == (1, 1)
    assert "best.safetensors" in outcome.err
    assert f"netdesc train {run / 'network.lock.json'}" in outcome.err
    assert contents(run) == before
    assert not (run / CHECKPOINTS).exists()


@pytest.mark.parametrize("status", ["running", "interrupted", "failed"])
@pytest.mark.parametrize("hint", ["best.safetensors", "network.lock.json"])
def test_a_run_that_lost_its_checkpoint_does_not_start_again(
    run: Path, status: str, hint: str
) -> None:
    record = (run / "run.json").read_text()
    (run / "run.json").write_text(record.replace('"status": "done"', f'"status": "{status}"'))
    delete(run, CHECKPOINTS / "last.state", CHECKPOINTS / "last.safetensors")
    if hint == "network.lock.json":
        shutil.rmtree(run / CHECKPOINTS)
    before = contents(run)
    with pytest.raises(ResumeError, match=f"is gone.*{hint}$") as error:
        package.train(resume=run, progress="quiet")
    assert error.value.exit_code == 1
    del before[run / ".lock"]
    assert {path: contents(run)[path] for path in before} == before


def test_metrics_alone_show_that_a_killed_run_had_a_checkpoint(run: Path) -> None:
    record = (run / "run.json").read_text()
    killed = record.replace('"status": "done"', '"status": "running"')
    (run / "run.json").write_text(killed.replace('"epochs_done": 4', '"epochs_done": 0'))
    shutil.rmtree(run / CHECKPOINTS)
    metrics = (run / "metrics.jsonl").read_bytes()
    with pytest.raises(ResumeError):
        package.train(resume=run, progress="quiet")
    assert (run / "metrics.jsonl").read_bytes() == metrics


@pytest.mark.parametrize("left", [b"", b"no line end", b'{"epoch": 0, "loss": 1.0'])
def test_metrics_without_a_line_are_an_error_of_a_done_run(run: Path, left: bytes) -> None:
    (run / "metrics.jsonl").write_bytes(left)
    again = package.train(resume=run, progress="quiet")
    with pytest.raises(ReportError, match=r"metrics\.jsonl"):
        _ = again.metrics


def test_files_that_only_training_writes_are_named_as_lost(netdesc: Netdesc, run: Path) -> None:
    lost = ("metrics.jsonl", "train.log", "network.json")
    delete(run, *lost)
    before = contents(run)
    outcome = netdesc("train", "--resume", run)
    assert (outcome.code, outcome.err.count("warning")) == (0, 1)
    assert all(name in outcome.err for name in lost)
    assert contents(run) == before


@pytest.mark.parametrize("name", ["network.net", "activity.npz", "checkpoints/best.safetensors"])
def test_empty_files_count_as_missing(run: Path, name: str) -> None:
    before = (run / name).read_bytes()
    metrics = (run / "metrics.jsonl").read_bytes()
    (run / name).write_bytes(b"")
    package.train(resume=run, progress="quiet")
    assert len((run / name).read_bytes()) > 0.5 * len(before)
    assert (run / "metrics.jsonl").read_bytes() == metrics


def test_completing_a_done_run_needs_no_memory_for_training(
    netdesc: Netdesc, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "memory", lambda: machine.Memory(1 << 30, 1))
    delete(run, "network.net")
    assert netdesc("train", "--resume", run).code == 0
    assert (run / "network.net").exists()
    assert netdesc("train", run / "network.lock.json", "--run-dir", run.parent / "b").code == 3
    assert read_record(run)["status"] == "done"
