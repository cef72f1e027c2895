"""The end of a run on a full disk, and resuming runs that are done."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.cli_process import Netdesc, Outcome
from support.training_task import read_record, write_task

import netdesc as package

RESULTS = [
    "network.net",
    "report.html",
    "activity.npz",
    "checkpoints/initial.safetensors",
    "checkpoints/best.safetensors",
    "checkpoints/last.safetensors",
]


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


def test_a_full_disk_at_the_end_is_told_and_resuming_writes_the_network(
    netdesc: Netdesc, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    outcome = train_on_full_disk(netdesc, run, "network.net")
    assert outcome.code == 3
    assert f"{run / 'network.net'}: " in outcome.err
    assert "no space left on the device" in outcome.err
    assert "--resume" in outcome.err
    assert outcome.err.count("\n") == 1
    assert read_record(run)["status"] == "failed"
    assert not list(run.glob(".network.net.*"))
    assert netdesc("train", "--resume", run, "--quiet").code == 0
    assert read_record(run)["status"] == "done"
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


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("done")
    document = write_task(folder / "task", epochs=4)
    return package.train(package.load(document), run_dir=folder / "run", progress="quiet").path


def contents(run: Path) -> dict[str, bytes]:
    return {name: (run / name).read_bytes() for name in RESULTS}


@pytest.mark.parametrize("missing", [*RESULTS, "all"])
def test_resuming_a_run_that_is_done_writes_what_is_missing(done: Path, missing: str) -> None:
    expected = contents(done)
    names = RESULTS if missing == "all" else [missing]
    kept = {name: (done / name).stat().st_mtime_ns for name in RESULTS if name not in names}
    kept.pop("report.html", None)  # it shows the other files
    for name in names:
        (done / name).unlink()
    again = package.train(resume=done, progress="quiet")
    assert again.status == "done"
    found = contents(done)
    del found["report.html"], expected["report.html"]
    assert found == expected
    assert kept == {name: (done / name).stat().st_mtime_ns for name in kept}
    before = {path: path.stat().st_mtime_ns for path in done.rglob("*")}
    package.train(resume=done, progress="quiet")
    assert {path: path.stat().st_mtime_ns for path in done.rglob("*")} == before


def test_a_file_that_cannot_be_is_not_missing(netdesc: Netdesc, tmp_path: Path) -> None:
    document = write_task(tmp_path / "task", epochs=1)
    option = ("--set", "layers.0.axonal_delay_step=false")
    assert netdesc("train", document, "--run-dir", tmp_path / "run", *option).code == 0
    outcome = netdesc("train", "--resume", tmp_path / "run", "--json")
    assert outcome.code == 0
    named = [line for line in outcome.err.splitlines() if "network.net" in line]
    assert len(named) == 1, "the warning that there is none; the file does not count as restored"


def test_what_cannot_be_written_is_an_error(netdesc: Netdesc, done: Path) -> None:
    (done / "network.net").unlink()
    with full_disk("network.net"):
        outcome = netdesc("train", "--resume", done, "--quiet")
        assert (outcome.code, "network.net" in outcome.err) == (3, True)
        assert read_record(done)["status"] == "done"
    assert netdesc("train", "--resume", done, "--quiet").code == 0
    assert (done / "network.net").exists()
