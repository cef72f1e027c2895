"""Runs that stop in the middle of an epoch: they go on to the bits of an undisturbed run."""

import json
import os
import signal
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support.classify_task import write_classify_task
from support.cli_process import Netdesc
from support.training_task import (
    read_metrics,
    read_record,
    train,
    train_task,
    untimed_metrics,
    weights_of,
    write_task,
)

from netdesc.api.load import load
from netdesc.data.batches import Batches
from netdesc.report.run import RunData
from netdesc.report.verdict import run_status
from netdesc.runs.checkpoint import read_state_file, write_state
from netdesc.runs.errors import RunError
from netdesc.runs.state import SavedProgress, saved_progress
from netdesc.training import loop, saver
from netdesc.training.metrics import EpochMetricsSum
from netdesc.training.setup import Setup
from netdesc.training.step import EagerStep


def before_batch(
    monkeypatch: pytest.MonkeyPatch, number: int, act: Callable[[], None] | None = None
) -> None:
    """Sends SIGTERM, or calls ``act``, in batch ``number`` of this process, from 0."""
    compute, calls = EagerStep.compute_gradients, iter(range(10**6))

    def watched(self: EagerStep, *arguments: Any) -> Any:
        if next(calls) == number:
            (act or terminate)()
        return compute(self, *arguments)

    monkeypatch.setattr(EagerStep, "compute_gradients", watched)


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def activity(run: Path) -> dict[str, Any]:
    with np.load(run / "activity.npz") as arrays:
        return {name: arrays[name].tolist() for name in arrays}


def assert_same_run(run: Path, undisturbed: Path) -> None:
    assert weights_of(run) == weights_of(undisturbed)
    assert untimed_metrics(run) == untimed_metrics(undisturbed)
    assert activity(run) == activity(undisturbed)
    best, other = (read_record(each)["best"] | {"seconds": 0} for each in (run, undisturbed))
    assert best == other


def stopped(folder: Path, batch: int, **training: Any) -> Path:
    """A run that stops in the batch of this number, counted from 0 over all epochs of 4 batches."""
    with pytest.MonkeyPatch.context() as patch:
        before_batch(patch, batch)
        return train_task(folder, pairs=8, batch_size=2, **training).path


def resume_until_done(run: Path, batches: int) -> list[SavedProgress]:
    """Resumes a run, which stops after so many batches each time. Returns where it stopped."""
    stops: list[SavedProgress] = []
    while True:
        stops.append(saved_progress(run) or SavedProgress())
        with pytest.MonkeyPatch.context() as patch:
            before_batch(patch, batches - 1)
            outcome = train(resume=run, progress="quiet")
        if outcome.status == "done":
            return stops
        assert outcome.exit_code == 75


def spikes_task(folder: Path) -> Path:
    """Target spikes with dropout, clipping, a schedule, and validation by several batches."""
    training = {"epochs": 4, "batch_size": 3, "validation_split": 0.4, "gradient_clip": 1.0}
    schedule = {"type": "cosine", "warmup_epochs": 1}
    return write_task(folder, pairs=16, dropout=0.2, schedule=schedule, **training)


def classes_task(folder: Path) -> Path:
    """Classes with random inputs, augmentation, a norm, a plateau schedule and early stopping."""
    neuron = {"type": "cuba", "threshold": 0.3, "current_decay": 0.5, "voltage_decay": 0.2}
    training = {
        "epochs": 5,
        "batch_size": 8,
        "optimizer": {"type": "radam", "learning_rate": 0.02},
        "schedule": {"type": "plateau", "factor": 0.5, "patience_epochs": 1},
        "early_stopping": {"patience_epochs": 3},
    }
    changes = [
        {"type": "time_shift", "max_steps": 2},
        {"type": "spatial_shift", "max_pixels": 1},
        {"type": "drop_events", "probability": 0.1},
        {"type": "time_jitter", "max_steps": 1},
    ]
    return write_classify_task(
        folder,
        data={"augmentation": changes},
        training=training,
        neurons={"cuba": neuron | {"tau_grad": 0.05, "norm": "mean_variance", "dropout": 0.1}},
    )


def whole_epochs_task(folder: Path) -> Path:
    """Classes without validation: the best weights are those before an epoch's last update."""
    training = {"epochs": 4, "batch_size": 20, "optimizer": {"type": "sgd", "learning_rate": 0.1}}
    return write_classify_task(folder, data={"split": None}, training=training)


@pytest.mark.parametrize("write", [spikes_task, classes_task, whole_epochs_task])
def test_a_run_that_stops_in_its_epochs_is_bit_identical(
    write: Callable[[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "task")
    undisturbed = train(load(path), run_dir=tmp_path / "undisturbed", progress="quiet")
    with monkeypatch.context() as patch:
        before_batch(patch, 1)
        part = train(load(path), run_dir=tmp_path / "part", progress="quiet")
    assert (part.status, part.exit_code, part.final) == ("interrupted", 75, None)
    stops = resume_until_done(part.path, 5)
    assert sum(stop.batches > 0 for stop in stops) >= 2
    assert_same_run(part.path, undisturbed.path)


def test_a_signal_in_validation_repeats_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = spikes_task(tmp_path / "task")
    undisturbed = train(load(path), run_dir=tmp_path / "undisturbed", progress="quiet")
    measure, measured = loop.measure, list[int]()

    def stop_in_the_second(network: Any, loss: Any, batches: Batches, *rest: Any) -> Any:
        counter, on_batch, ranks = rest

        def count(*of_batch: Any) -> None:
            measured.append(1)
            if len(measured) == len(batches) + 1:
                terminate()
            on_batch(*of_batch)

        return measure(network, loss, batches, counter, count, ranks)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "measure", stop_in_the_second)
        part = train(load(path), run_dir=tmp_path / "part", progress="quiet")
    batches = -(-10 // 3)
    assert len(measured) == -(-6 // 3) + 1, "the first batch of the second validation was the last"
    assert saved_progress(part.path) == SavedProgress(1, batches, batches)
    assert train(resume=part.path, progress="quiet").status == "done"
    assert_same_run(part.path, undisturbed.path)


def test_where_a_run_stands_is_said_in_epochs_and_batches(
    tmp_path: Path, netdesc: Netdesc, capsys: pytest.CaptureFixture[str]
) -> None:
    run = stopped(tmp_path, 6)
    where = "1 epoch and 3 of 4 batches"
    record = read_record(run)
    assert (record["status"], record["exit_code"], record["epochs_done"]) == ("interrupted", 75, 1)
    assert f"interrupted by SIGTERM; the checkpoint after {where} is safe" in record["message"]
    assert where in netdesc("show", run).out
    shown = json.loads(netdesc("show", run, "--json").out)["run"]
    assert shown["resumes_after"] == 1
    assert shown["checkpoint"] == {"epochs": 1, "batches": 3, "batches_per_epoch": 4}
    assert f"after {where}" in run_status(RunData(run)).text
    assert str(SavedProgress(0, 3, 4)) == "3 of 4 batches"
    outcome = netdesc("train", "--resume", run)
    assert outcome.code == 0
    assert "after 1 of 6 epochs and 3 of 4 batches" in outcome.err
    assert read_record(run)["exit_code"] == 0


def test_a_run_stopped_in_its_first_epoch_goes_on_or_says_what_it_lacks(
    tmp_path: Path, netdesc: Netdesc
) -> None:
    run = stopped(tmp_path, 1)
    assert "2 of 4 batches" in run_status(RunData(run)).text
    outcome = netdesc("evaluate", run)
    assert outcome.code == 1
    assert f"go on with: netdesc train --resume {run}" in outcome.err
    assert netdesc("train", "--resume", run, "-q").code == 0


def test_checkpoints_are_due_after_a_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each batch takes 2 s of a fake clock; a checkpoint is due every 30 s, the first early."""
    now, saved_batches, save = 0.0, list[tuple[int, int]](), saver.Saver.save

    def tick(self: EagerStep, *arguments: Any) -> None:
        nonlocal now
        now += 2.0
        compute(self, *arguments)

    def note(self: saver.Saver, progress: saver.Progress, *rest: Any) -> None:
        saved_batches.append((progress.epoch, progress.batch))
        save(self, progress, *rest)

    compute = EagerStep.compute_gradients
    monkeypatch.setattr(EagerStep, "compute_gradients", tick)
    monkeypatch.setattr(saver.Saver, "save", note)
    for module in loop, saver:
        monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: now))
    run = train_task(tmp_path, pairs=8, batch_size=2, epochs=10).path
    assert saved_batches == [(0, 0), (0, 3), (4, 2), (8, 1), (10, 0)]
    assert [row["seconds"] for row in read_metrics(run)] == [8.0] * 10


def test_time_in_an_epoch_adds_up_over_resumptions(tmp_path: Path) -> None:
    run = stopped(tmp_path, 2, epochs=1)
    notes, _ = read_state_file(run / "checkpoints/last.state", saver.StateNotes)
    assert notes.progress.epoch_seconds > 0
    assert train(resume=run, progress="quiet").status == "done"
    (row,) = read_metrics(run)
    assert row["seconds"] > notes.progress.epoch_seconds


@dataclass
class OldNotes:
    """The notes of a checkpoint of format 2."""

    format: int
    lock_sha256: str
    metrics_bytes: int
    progress: dict[str, Any]
    stopping: dict[str, Any]


def test_a_checkpoint_of_an_older_netdesc_is_resumed_and_of_a_newer_one_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = train_task(tmp_path / "undisturbed", pairs=8, batch_size=2)
    run = stopped(tmp_path / "part", 7)  # the last batch of an epoch, which is complete then
    path = run / "checkpoints/last.state"
    notes, tensors = read_state_file(path, saver.StateNotes)
    fields = asdict(notes)
    new = {"batch", "batches", "row", "epoch_seconds"}
    progress = {name: value for name, value in fields["progress"].items() if name not in new}
    write_state(path, OldNotes(**fields | {"format": saver.STATE_FORMAT + 1}), tensors)
    with pytest.raises(RunError, match="another version of netdesc"):
        train(resume=run, progress="quiet")
    write_state(path, OldNotes(**fields | {"format": 2, "progress": progress}), tensors)
    assert saved_progress(run) == SavedProgress(2, 0, 0)
    assert train(resume=run, progress="quiet").status == "done"
    assert_same_run(run, undisturbed.path)


def test_numbers_that_are_not_finite_are_not_saved_in_an_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sums, build = list[EpochMetricsSum](), loop.build_step

    def note_sums(setup: Setup, epoch_sum: EpochMetricsSum, report: Any) -> Any:
        sums.append(epoch_sum)
        return build(setup, epoch_sum, report)

    def overflow() -> None:
        state = sums[0].state()
        state["sums"][0] = np.inf
        sums[0].load(state)
        terminate()

    monkeypatch.setattr(loop, "build_step", note_sums)
    before_batch(monkeypatch, 6, overflow)
    run = train_task(tmp_path, pairs=8, batch_size=2)
    assert (run.status, run.exit_code) == ("diverged", 4)
    assert "epoch 2: the loss is inf" in run.message
    assert saved_progress(run.path) == SavedProgress(), "the checkpoint of the start is kept"
