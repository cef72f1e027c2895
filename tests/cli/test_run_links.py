"""Symbolic links inside the folder of a run: nothing is written or read through them."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest
from support.cli_process import Netdesc
from support.training_task import at_epoch, read_record, train_task, weights_of, write_task

from netdesc.runs.files import NAMES, LinkError, run_paths
from netdesc.training import run_directory
from netdesc.training.errors import ResumeError, StorageError
from netdesc.training.loop import Divergence
from netdesc.training.run_logs import Log, MetricsFile
from netdesc.training.train import train

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links need a permission on Windows")

PLACES = [str(path.relative_to("run")) for path in run_paths(Path("run"))]
PLACES += ["checkpoints", "tensorboard"]


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a task and of a run that can be resumed, with every file that a run has."""
    folder = tmp_path_factory.mktemp("interrupted")
    with pytest.MonkeyPatch.context() as patch:
        at_epoch(patch, 2, lambda: os.kill(os.getpid(), signal.SIGINT))
        run = train_task(folder)
    assert run.status == "interrupted"
    for name in ("network.net", "report.html", "metrics.csv", "loss.txt", "accuracy.txt"):
        (run.path / name).write_text("older")
    (run.path / "tensorboard").mkdir()
    return folder


@pytest.fixture
def run(interrupted: Path, tmp_path: Path) -> Path:
    shutil.copytree(interrupted, tmp_path, dirs_exist_ok=True)
    return tmp_path / "run"


def move_out(run: Path, place: str) -> Path:
    """Moves a file or folder of the run out of it and leaves a link; returns the new path."""
    outside = run.parent / "outside" / place
    outside.parent.mkdir(parents=True)
    (run / place).rename(outside)
    (run / place).symlink_to(outside)
    return outside


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_names_are_those_of_a_run(run: Path) -> None:
    names = {path.name for path in run.rglob("*") if path.is_file()}
    assert names == NAMES


@pytest.mark.parametrize("place", PLACES)
def test_commands_that_write_refuse_links_and_change_nothing(
    netdesc: Netdesc, run: Path, place: str
) -> None:
    move_out(run, place)
    before = contents(run.parent)
    for command in (["train", "--resume", run], ["report", run], ["report", run, "--csv"]):
        outcome = netdesc(*command)
        assert outcome.code == 1
        assert f": {place};" in outcome.err
        assert outcome.err.count("\n") == 1
    assert contents(run.parent) == before


@pytest.mark.parametrize("place", ["network.lock.json", "checkpoints/best.safetensors"])
def test_commands_that_read_refuse_links(netdesc: Netdesc, run: Path, place: str) -> None:
    move_out(run, place)
    for command in (
        ["show", run],
        ["evaluate", run],
        ["export", run, "-o", "a.net"],
        ["run", run, "task/input0.bs1"],
        ["diff", run, run],
        ["report", run, "-o", "report.html"],
    ):
        outcome = netdesc(*command)
        assert (outcome.code, place in outcome.err) == (1, True), outcome


def test_a_new_run_refuses_a_folder_with_a_linked_lock(netdesc: Netdesc, tmp_path: Path) -> None:
    document = write_task(tmp_path / "task")
    mine = tmp_path / "mine"
    mine.write_text("mine")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").symlink_to(mine)
    outcome = netdesc("train", document, "--run-dir", tmp_path / "run")
    assert (outcome.code, ".lock" in outcome.err) == (1, True)
    assert mine.read_text() == "mine"


def test_links_in_the_path_to_the_folder_are_followed(netdesc: Netdesc, run: Path) -> None:
    (run.parent / "link").symlink_to(run.parent)
    (run.parent / "direct").symlink_to(run)
    for path in (run.parent / "link" / "run", run.parent / "direct"):
        assert netdesc("report", path).code == 0
    assert netdesc("train", "--resume", run.parent / "direct", "--quiet").code == 0


def test_files_are_not_opened_or_replaced_through_links(tmp_path: Path) -> None:
    """This holds for a link that replaces a file after the folder was checked, too."""
    mine = tmp_path / "mine"
    mine.write_text("mine")
    (tmp_path / ".lock").symlink_to(mine)
    with pytest.raises(StorageError):
        MetricsFile(tmp_path / ".lock", 0)
    with pytest.raises(StorageError):
        Log(tmp_path / ".lock")
    with pytest.raises(StorageError):
        run_directory.write_file(tmp_path / ".lock", b"other")
    with pytest.raises(StorageError), run_directory.lock_folder(tmp_path):
        pass
    assert mine.read_text() == "mine"


@pytest.mark.parametrize("place", ["checkpoints", "network.net"])
def test_a_link_that_appears_during_training_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    run, outside = tmp_path / "run", tmp_path / "outside"
    outside.mkdir()

    def link() -> None:
        if (run / place).exists():
            (run / place).rename(tmp_path / "moved")
        (run / place).symlink_to(outside)

    at_epoch(monkeypatch, 3, link)
    with pytest.raises(LinkError, match=place):
        train_task(tmp_path)
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("end", [KeyboardInterrupt, Divergence(3, "the loss is nan")])
def test_a_run_that_ends_early_writes_no_weights_through_a_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: BaseException
) -> None:
    run, outside = tmp_path / "run", tmp_path / "outside"
    outside.mkdir()

    def link_and_end() -> None:
        (run / "checkpoints").rename(tmp_path / "moved")
        (run / "checkpoints").symlink_to(outside)
        raise end

    at_epoch(monkeypatch, 3, link_and_end)
    with pytest.raises(LinkError, match="checkpoints"):
        train_task(tmp_path)
    assert list(outside.iterdir()) == []
    assert read_record(run)["status"] == "failed"


def test_resuming_changes_no_file_that_a_hard_link_shares(run: Path) -> None:
    backup = run.parent / "backup"
    shutil.copytree(run, backup, copy_function=os.link)
    (run / ".lock").write_text("an older process\n")
    before = contents(backup)
    assert train(resume=run, progress="quiet").status == "done"
    assert contents(backup) == before
    assert (run / "metrics.jsonl").read_bytes().startswith(before["metrics.jsonl"][0])
    assert (run / "train.log").read_bytes().startswith(before["train.log"][0])
    assert train(resume=backup, progress="quiet").status == "done"
    assert weights_of(backup) == weights_of(run)


def test_commands_that_read_do_not_wait_for_pipes(netdesc: Netdesc, run: Path) -> None:
    for place in ("run.json", "checkpoints/last.state", "checkpoints/best.safetensors"):
        (run / place).unlink()
        os.mkfifo(run / place)
    assert netdesc("show", run).code == 0
    for command in (["evaluate", run], ["export", run, "-o", "a.net"], ["diff", run, run]):
        outcome = netdesc(*command)
        assert (outcome.code, "not a regular file" in outcome.err) == (1, True)


@pytest.mark.parametrize("place", ["train.log", "run.json", "activity.npz", ".lock"])
def test_a_pipe_in_place_of_a_file_is_refused(run: Path, place: str) -> None:
    """Opening it would wait for ever."""
    (run / place).unlink()
    os.mkfifo(run / place)
    with pytest.raises(ResumeError, match="not a regular file"):
        run_directory.require_run(run)
    with pytest.raises(StorageError):
        Log(run / place)
