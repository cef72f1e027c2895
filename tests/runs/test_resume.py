"""Checkpoints and ends: which runs are resumed, after SIGKILL or a full disk to the same bits."""

import errno
import json
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.cli_process import Netdesc, Outcome
from support.grids import slow
from support.training_task import at_epoch, read_record, train, train_task, write_task

import netdesc as package
from netdesc.api.load import load
from netdesc.description.models.training import Training
from netdesc.runs.errors import RunError
from netdesc.training import saver


def test_the_reference_states_the_share_of_time_that_saving_may_take() -> None:
    text = Training.model_fields["checkpoint_every_s"].description or ""
    assert f"{saver.MAX_SAVE_SHARE:.0%}" in text


def interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    at_epoch(monkeypatch, 2, lambda: os.kill(os.getpid(), signal.SIGINT))
    return train_task(tmp_path, epochs=6).path


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("network.lock.json", lambda held: held + b"\n", "was changed after this run began"),
        ("../task/target0.bs1", lambda held: held + bytes(5), r"target0\.bs1"),
        ("checkpoints/last.state", lambda held: held[:-100], "damaged"),
        ("run.json", lambda held: held[:-100], "is not the record"),
        ("run.json", lambda held: b"[" * 100_000, "is not the record"),
    ],
)
def test_changed_files_are_refused(
    file: str,
    change: Callable[[bytes], bytes],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = interrupted(tmp_path, monkeypatch)
    (run / file).write_bytes(change((run / file).read_bytes()))
    with pytest.raises(ValueError, match=message):
        train(resume=run, progress="quiet")


@pytest.mark.parametrize("left", [None, b"", b"{}"])
def test_a_run_without_its_record_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: bytes | None
) -> None:
    run = interrupted(tmp_path, monkeypatch)
    (run / "run.json").unlink()
    if left is not None:
        (run / "run.json").write_bytes(left)
    with pytest.raises(RunError, match=r"run\.json") as error:
        train(resume=run, progress="quiet")
    *_, lock, _, weights = shlex.split(str(error.value))
    assert train(load(Path(lock), [weights]), run_dir=run.parent / "anew").status == "done"


def test_a_flipped_bit_anywhere_in_a_checkpoint_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = interrupted(tmp_path, monkeypatch)
    state = run / "checkpoints/last.state"
    sound, rng = state.read_bytes(), random.Random(0)
    header = 8 + int.from_bytes(sound[:8], "little")
    places = [rng.randrange(8, header) for _ in range(15)]
    places += [rng.randrange(header, len(sound)) for _ in range(15)]
    for place in places:
        damaged = bytearray(sound)
        damaged[place] ^= 1 << rng.randrange(8)
        state.write_bytes(damaged)
        with pytest.raises(RunError, match=r"damaged.* --set weights\.path="):
            train(resume=run, progress="quiet")
    state.write_bytes(sound)
    assert train(resume=run, progress="quiet").status == "done"


KILLER = Path(__file__).parents[1] / "support" / "training_killer.py"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the runs are forked")
@pytest.mark.parametrize("stride", [40, pytest.param(1, marks=slow)])
def test_a_run_killed_at_file_operations_is_bit_identical(tmp_path: Path, stride: int) -> None:
    """Checkpoints are written within epochs, too."""
    training = {"epochs": 3, "batch_size": 2, "validation_split": 0.2, "gradient_clip": 1.0}
    schedule = {"type": "cosine", "warmup_epochs": 1}
    document = write_task(tmp_path / "task", pairs=5, dropout=0.2, schedule=schedule, **training)
    command = [sys.executable, KILLER, document, tmp_path, str(stride)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    result = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=1200, check=False
    )
    assert result.returncode == 0, result.stderr
    outcomes = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(outcomes) > 90 // stride
    for outcome in outcomes:
        assert outcome["different"] == [], outcome
        assert outcome["status"][-1] == 0, outcome
    kills = [outcome["status"].count(-9) for outcome in outcomes]
    assert sum(kills) > len(outcomes)  # most runs were killed twice


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


def test_a_full_disk_at_the_end_is_told_and_has_a_report(netdesc: Netdesc, tmp_path: Path) -> None:
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
def test_a_run_without_its_checkpoint_stays(tmp_path: Path, status: str, hint: str) -> None:
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
