"""How runs end before their last epoch: diverged, interrupted or failed."""

import errno
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from support.training_task import (
    at_epoch,
    read_metrics,
    read_record,
    train,
    train_task,
    weights_of,
    write_task,
)

import netdesc
from netdesc import stop_signals
from netdesc.runs.errors import StorageError
from netdesc.stop_signals import STOP_SIGNALS
from netdesc.training import loop, saver, session
from netdesc.training.activity_recorder import ActivityRecorder
from netdesc.training.metrics import EpochMetricsSum


def test_divergence_names_epoch_and_layer_and_keeps_the_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = EpochMetricsSum.add_batch

    def with_nan(self: EpochMetricsSum, *batch: Any, **how: Any) -> None:
        (weight,) = self._parameters["output"]
        weight.grad[0, 0] = np.nan
        add(self, *batch, **how)

    at_epoch(monkeypatch, 3, lambda: monkeypatch.setattr(EpochMetricsSum, "add_batch", with_nan))
    run = train_task(tmp_path, epochs=10)
    assert (run.status, run.exit_code) == ("diverged", 4)
    assert 'epoch 4: the gradient of layer "output" is NaN or too large' in run.message
    assert read_record(run.path)["status"] == "diverged"
    assert len(read_metrics(run.path)) == 3
    for name in ("last", "best"):
        weights = load_file(run.path / f"checkpoints/{name}.safetensors")
        assert all(np.isfinite(array).all() for array in weights.values())
    again = train(resume=run.path, progress="quiet")
    assert again.status == "diverged"


def test_infinite_weights_are_never_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step = torch.optim.SGD.step
    monkeypatch.setattr(saver.Saver, "is_due", lambda self, now: True)

    def explode(self: torch.optim.SGD, *arguments: Any) -> Any:
        step(self, *arguments)
        with torch.no_grad():
            self.param_groups[0]["params"][0][0, 0] = np.inf

    monkeypatch.setattr(torch.optim.SGD, "step", explode)
    run = train_task(tmp_path, optimizer={"type": "sgd", "learning_rate": 0.1})
    assert run.status == "diverged"
    assert 'epoch 1: a weight of layer "hidden"' in run.message
    weights = load_file(run.path / "checkpoints/last.safetensors")
    assert all(np.isfinite(array).all() for array in weights.values())


def test_initial_weights_beyond_floats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = 'a weight of layer "hidden" is NaN or too large'
    monkeypatch.setattr(loop, "non_finite_weight", lambda _: fault)
    run = train_task(tmp_path)
    assert (run.status, run.exit_code) == ("diverged", 4)
    assert run.message == f"training cannot begin: {fault}"
    assert read_record(run.path)["message"] == run.message
    assert run.message in train(resume=run.path, progress="quiet").message


@pytest.mark.filterwarnings("error")
def test_a_loss_beyond_32_bits(tmp_path: Path) -> None:
    slow = ("filter_order=16", "time_constant_ms=500", "filter_steps=600")
    path = write_task(tmp_path / "task")
    description = netdesc.load(path, ["time.steps=600", *(f"loss.{each}" for each in slow)])
    run = train(description, run_dir=tmp_path / "run", progress="quiet")
    assert (run.status, run.exit_code) == ("diverged", 4)
    assert run.message == (
        "training cannot begin: the loss of an output that never spikes is inf; "
        "lower loss.filter_order or loss.time_constant_ms"
    )
    assert run.message in train(resume=run.path, progress="quiet").message


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_signal_ends_the_run_after_its_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    before = signal.getsignal(number)
    at_epoch(monkeypatch, 2, lambda: os.kill(os.getpid(), number))
    run = train_task(tmp_path, epochs=10, options={"progress": "plain"})
    assert capsys.readouterr().err.splitlines()[-2].startswith("epoch  3/10")
    code = 130 if number == signal.SIGINT else 75
    assert (run.status, run.exit_code) == ("interrupted", code)
    assert len(read_metrics(run.path)) == 3
    record = read_record(run.path)
    assert (record["status"], record["exit_code"], record["epochs_done"]) == (
        "interrupted", code, 3,
    )  # fmt: skip
    name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
    assert f"interrupted by {name}; the checkpoint after 3 epochs is safe" in run.message
    assert signal.getsignal(number) is before
    assert train(resume=run.path, progress="quiet").status == "done"
    assert len(read_metrics(run.path)) == 10


def send(*numbers: int) -> None:
    for number in numbers:
        os.kill(os.getpid(), number)


def test_a_signal_again_in_a_second_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_epoch(monkeypatch, 2, lambda: send(signal.SIGINT, signal.SIGINT, signal.SIGTERM))
    run = train_task(tmp_path, epochs=10)
    assert (run.exit_code, len(read_metrics(run.path))) == (130, 3)


@pytest.mark.skipif(not hasattr(signal, "SIGXCPU"), reason="Windows has no such signal")
def test_the_system_repeats_what_it_says_of_computing_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stop_signals, "REPEAT_S", 0)
    at_epoch(monkeypatch, 2, lambda: send(signal.SIGXCPU, signal.SIGXCPU, signal.SIGXCPU))
    run = train_task(tmp_path, epochs=10)
    assert (run.exit_code, len(read_metrics(run.path))) == (75, 3)


def test_a_second_signal_quits_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stop_signals, "REPEAT_S", 0)
    at_epoch(monkeypatch, 2, lambda: send(signal.SIGTERM, signal.SIGINT))
    run = train_task(tmp_path, epochs=10)
    assert (run.status, run.exit_code) == ("interrupted", 130)
    assert "no checkpoint after an epoch" in run.message
    assert len(read_metrics(run.path)) == 2
    best, initial = (
        load_file(run.path / f"checkpoints/{name}.safetensors") for name in ("best", "initial")
    )
    assert any((best[name] != initial[name]).any() for name in best)
    assert train(resume=run.path, progress="quiet").status == "done"


class SignalWhenDeleted:
    """Gets the signal in its ``__del__``, where Python drops exceptions."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __del__(self) -> None:
        signal.raise_signal(self.number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("phase", ["compile_kernels", "silent_loss", "save"])
def test_a_signal_before_the_first_epoch_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, phase: str
) -> None:
    original = getattr(session, phase)

    def signal_then_go_on(*arguments: Any, **options: Any) -> Any:
        SignalWhenDeleted(number)
        return original(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(session, phase, signal_then_go_on)
        run = train_task(tmp_path, epochs=3)
    code = 130 if number == signal.SIGINT else 75
    assert (run.status, run.exit_code) == ("interrupted", code)
    assert f"netdesc train --resume {run.path}" in run.message
    assert read_metrics(run.path) == []
    assert train(resume=run.path, progress="quiet").status == "done"
    assert len(read_metrics(run.path)) == 3


def test_a_signal_before_the_first_epoch_of_a_resumed_run_needs_no_kernels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compile_kernels = session.compile_kernels

    def signal_then_compile(*arguments: Any, **options: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        compile_kernels(*arguments, **options)

    def fail(*_: object) -> None:
        raise AssertionError("the activity was computed")

    at_epoch(monkeypatch, 2, lambda: os.kill(os.getpid(), signal.SIGINT))
    train_task(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(session, "compile_kernels", signal_then_compile)
        patch.setattr(ActivityRecorder, "save", fail)
        run = train(resume=tmp_path / "run")
    assert run.status == "interrupted"
    assert len(read_metrics(run.path)) == 3
    assert train(resume=run.path, progress="quiet").status == "done"


def test_a_full_disk_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fsync, run = os.fsync, tmp_path / "run"
    monkeypatch.setattr(saver.Saver, "is_due", lambda self, now: True)

    def full_after_three_epochs(file: int) -> None:
        if (run / "metrics.jsonl").exists() and len(read_metrics(run)) > 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(file)

    monkeypatch.setattr(os, "fsync", full_after_three_epochs)
    with pytest.raises(StorageError, match="no space left on the device") as error:
        train_task(tmp_path, epochs=8)
    assert error.value.exit_code == 3
    assert "the checkpoint after 3 epochs is safe" in str(error.value)
    monkeypatch.setattr(os, "fsync", fsync)
    assert train(resume=run, progress="quiet").status == "done"
    other = train_task(tmp_path, epochs=8, options={"run_dir": tmp_path / "other"})
    assert weights_of(run) == weights_of(other.path)


def test_an_unknown_error_is_recorded_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(session, "export_net", fail)
    with pytest.raises(RuntimeError, match="broken"):
        train_task(tmp_path)
    record = read_record(tmp_path / "run")
    assert (record["status"], record["message"]) == ("failed", "RuntimeError: broken")
