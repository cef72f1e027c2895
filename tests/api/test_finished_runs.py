"""The end of a run on a full disk, and resuming runs that are done."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.cli_process import Netdesc, Outcome
from support.training_task import read_record, write_task

import netdesc as package
from netdesc.runs.errors import RunError


@contextmanager
def full_disk(name: str) -> Iterator[None]:
    """Lets every attempt to write the file ``name`` fail as on a full disk."""
    replace = os.replace

    def replace_or_fail(temporary: Path, target: Path) -> None:
        if target.name == name:
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(temporary, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "replace", replace_or_fail)
        yield


def train_on_full_disk(netdesc: Netdesc, run: Path, name: str) -> Outcome:
    """Trains with a disk that has no space for the file ``name``."""
    document = write_task(run.parent / "task")
    with full_disk(name):
        return netdesc("train", document, "--run-dir", run, "--quiet")


def test_a_full_disk_at_the_end_is_told_and_costs_no_report(
    netdesc: Netdesc, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    outcome = train_on_full_disk(netdesc, run, "network.net")
    assert outcome.code == 0
    assert f"{run / 'network.net'}: " in outcome.err
    assert "no space left on the device" in outcome.err
    assert f"netdesc export {run}" in outcome.err
    assert read_record(run)["status"] == "done"
    assert (run / "report.html").exists()
    assert not list(run.glob(".network.net.*"))
    assert netdesc("export", run, "-o", run / "network.net").code == 0
    assert package.import_net(run / "network.net").weights


def test_export_on_a_full_disk(netdesc: Netdesc, tmp_path: Path) -> None:
    document = write_task(tmp_path / "task")
    with full_disk("mine.net"):
        outcome = netdesc("export", document, "-o", "mine.net")
    assert outcome.code == 3
    assert "mine.net: cannot be written: no space left on the device" in outcome.err
    assert not Path("mine.net").exists()


def test_a_report_that_meets_a_full_disk_is_written_later(netdesc: Netdesc, tmp_path: Path) -> None:
    run = tmp_path / "run"
    outcome = train_on_full_disk(netdesc, run, "report.html")
    assert outcome.code == 0
    assert f"cannot write {run / 'report.html'}: no space left on the device" in outcome.err
    assert netdesc("train", "--resume", run).code == 0
    assert (run / "report.html").exists()


def test_resuming_a_run_that_is_done_changes_nothing(netdesc: Netdesc, tmp_path: Path) -> None:
    document = write_task(tmp_path / "task", epochs=4)
    done = package.train(document, run_dir=tmp_path / "run", progress="quiet").path
    (done / "network.net").unlink()
    before = {path: path.stat().st_mtime_ns for path in done.rglob("*")}
    outcome = netdesc("train", "--resume", done)
    assert outcome.code == 0
    assert "nothing was trained" in outcome.err
    assert {path: path.stat().st_mtime_ns for path in done.rglob("*")} == before


@pytest.mark.parametrize("status", ["running", "interrupted", "failed"])
@pytest.mark.parametrize("hint", ["best.safetensors", "network.lock.json"])
def test_a_run_that_lost_its_checkpoint_does_not_start_again(
    tmp_path: Path, status: str, hint: str
) -> None:
    document = write_task(tmp_path / "task", epochs=4)
    run = package.train(document, run_dir=tmp_path / "run", progress="quiet").path
    record = (run / "run.json").read_text()
    (run / "run.json").write_text(record.replace('"status": "done"', f'"status": "{status}"'))
    for name in ("last.state", "last.safetensors"):
        (run / "checkpoints" / name).unlink()
    if hint == "network.lock.json":
        shutil.rmtree(run / "checkpoints")
    metrics = (run / "metrics.jsonl").read_bytes()
    with pytest.raises(RunError, match=f"is gone.*{hint}$") as error:
        package.train(resume=run, progress="quiet")
    assert error.value.exit_code == 1
    assert (run / "metrics.jsonl").read_bytes() == metrics
