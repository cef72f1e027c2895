"""Symbolic links inside the folder of a run: nothing is written or read through them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from support.cli_process import Netdesc
from support.training_task import at_epoch, read_record, train_task, write_task

import netdesc as package
from netdesc.runs.errors import RunError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links need a permission on Windows")


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a task and of a run that can be resumed."""
    folder = tmp_path_factory.mktemp("interrupted")
    with pytest.MonkeyPatch.context() as patch:
        at_epoch(patch, 2, interrupt)
        assert train_task(folder).status == "interrupted"
    return folder


@pytest.fixture
def run(interrupted: Path, tmp_path: Path) -> Path:
    shutil.copytree(interrupted, tmp_path, dirs_exist_ok=True)
    return tmp_path / "run"


def move_out(run: Path, name: str) -> Path:
    """Moves a file or folder of the run out of it and leaves a link; returns the new path."""
    outside = run.parent / "outside" / name
    outside.parent.mkdir(parents=True)
    (run / name).rename(outside)
    (run / name).symlink_to(outside)
    return outside


@pytest.mark.parametrize(
    ("name", "commands"),
    [
        ("run.json", ["train --resume run", "report run"]),
        ("network.lock.json", ["train --resume run", "report run", "evaluate run", "show run"]),
        ("metrics.jsonl", ["train --resume run", "report run --csv"]),
        ("train.log", ["train --resume run"]),
        (".lock", ["train --resume run"]),
        ("checkpoints/last.state", ["train --resume run"]),
        ("checkpoints/best.safetensors", ["evaluate run", "export run -o a.net"]),
        ("checkpoints", ["train --resume run", "evaluate run"]),
    ],
)
def test_a_link_is_refused_and_what_it_leads_to_stays(
    netdesc: Netdesc, run: Path, name: str, commands: list[str]
) -> None:
    outside = move_out(run, name)
    files = [path for path in (outside, *outside.rglob("*")) if path.is_file()]
    before = [path.read_bytes() for path in files]
    for command in commands:
        outcome = netdesc(*(str(run) if word == "run" else word for word in command.split()))
        assert (outcome.code, outcome.err.count("\n")) == (1, 1), outcome
        assert f"{run / name} is a symbolic link" in outcome.err
    assert [path.read_bytes() for path in files] == before


def test_links_in_the_path_to_the_folder_are_followed(netdesc: Netdesc, run: Path) -> None:
    (run.parent / "direct").symlink_to(run)
    assert netdesc("report", run.parent / "direct").code == 0
    assert netdesc("train", "--resume", run.parent / "direct", "--quiet").code == 0


def test_a_link_that_appears_during_training_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, outside = tmp_path / "run", tmp_path / "outside"
    outside.mkdir()

    def link() -> None:
        (run / "checkpoints").rename(tmp_path / "moved")
        (run / "checkpoints").symlink_to(outside)

    at_epoch(monkeypatch, 3, link)
    with pytest.raises(RunError, match="checkpoints"):
        package.train(write_task(tmp_path / "task"), run_dir=run, progress="quiet")
    assert list(outside.iterdir()) == []
    assert read_record(run)["status"] == "failed"
