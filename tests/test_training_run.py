"""Whole runs: what they learn, what they leave behind, and how they end."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shlex
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from training_task import read_metrics, read_record, write_task

import netdesc
from netdesc.description import load
from netdesc.training import Run, TrainingError, checkpoint, loop, train
from netdesc.training import errors as kinds
from netdesc.training.metrics import Figures

Start = Callable[..., Run]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Trains the small task with some settings in the folder ``run`` of ``tmp_path``."""

    def run(pairs: int = 1, dropout: float = 0.0, options: Any = None, **training: Any) -> Run:
        path = write_task(tmp_path / "task", pairs, dropout, **training)
        more = {"run_dir": tmp_path / "run", "progress": "quiet"} | (options or {})
        return train(netdesc.load(path), **more)

    return run


@pytest.fixture
def after_epoch(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Callable[[], None]], None]:
    """Has a function called as a chosen epoch of the next run begins."""

    def arrange(epoch: int, act: Callable[[], None]) -> None:
        set_rate = loop.set_learning_rate
        epochs = iter(range(10**6))

        def watched(*arguments: Any) -> None:
            set_rate(*arguments)
            if next(epochs) == epoch:
                act()

        monkeypatch.setattr(loop, "set_learning_rate", watched)

    return arrange


def weights_of(run: Path) -> list[bytes]:
    """The last and the best weights, as their files hold them."""
    return [(run / f"checkpoints/{name}.safetensors").read_bytes() for name in ("last", "best")]


def test_a_run_learns_and_leaves_everything_behind(start: Start, tmp_path: Path) -> None:
    run = start(epochs=40)
    assert (run.status, run.exit_code, run.path) == ("done", 0, tmp_path / "run")
    rows, record = read_metrics(run.path), read_record(run.path)
    assert [row["epoch"] for row in rows] == list(range(40))
    losses = [row["loss"] for row in rows]
    assert min(losses) < 0.9 * losses[0]
    assert run.best == record["best"] == {"epoch": losses.index(min(losses)), "loss": min(losses)}
    assert run.final == record["final"] == rows[-1]
    assert rows[0].keys() >= {"epoch", "loss", "seconds", "learning_rate"}
    assert rows[0]["gradient_norms"].keys() == rows[0]["spike_rates"].keys() == {"hidden", "output"}
    assert record["status"] == "done"
    assert record["started"] <= record["ended"]
    assert [layer["layer"] for layer in record["layers"]] == ["hidden", "output"]
    assert record["versions"]["torch"] == torch.__version__
    assert (run.path / "network.json").read_text() == (tmp_path / "task/tiny.json").read_text()
    lock = (run.path / "network.lock.json").read_text()
    assert record["lock_sha256"] == hashlib.sha256(lock.encode()).hexdigest()
    assert {path.name for path in (run.path / "checkpoints").iterdir()} == {
        "last.safetensors",
        "best.safetensors",
        "initial.safetensors",
        "last.state",
    }
    assert "done after 40 epochs" in (run.path / "train.log").read_text()


def test_the_best_weights_give_the_best_loss(start: Start, tmp_path: Path) -> None:
    run = start(epochs=30)
    weights = tmp_path / "run/checkpoints/best.safetensors"
    document = json.loads((tmp_path / "task/tiny.json").read_text())
    document["weights"] = {"path": str(weights)}
    document["training"]["epochs"] = 1
    (tmp_path / "task/again.json").write_text(json.dumps(document))
    again = train(netdesc.load(tmp_path / "task/again.json"), run_dir=tmp_path / "again")
    assert run.best is not None
    assert read_metrics(again.path)[0]["loss"] == run.best["loss"]


def test_the_lock_reproduces_the_run(start: Start, tmp_path: Path) -> None:
    run = start(epochs=5, dropout=0.2, pairs=3, batch_size=2)
    again = train(netdesc.load(run.path / "network.lock.json"), run_dir=tmp_path / "again")
    assert weights_of(again.path) == weights_of(run.path)


def test_the_seed_decides_and_the_callers_settings_are_left_alone(
    start: Start, tmp_path: Path
) -> None:
    torch.manual_seed(99)
    wanted, threads = torch.rand(3), torch.get_num_threads()
    finals = []
    for seed, caller in ((1, 99), (1, 5), (2, 99)):
        torch.manual_seed(caller)
        run = start(
            epochs=3, dropout=0.3, seed=seed, options={"run_dir": tmp_path / f"{seed}-{caller}"}
        )
        finals.append((run.path / "checkpoints/last.safetensors").read_bytes())
        if caller == 99:
            assert torch.equal(torch.rand(3), wanted)
    assert finals[0] == finals[1] != finals[2]
    assert torch.get_num_threads() == threads


def test_validation_is_measured_and_decides_what_is_best(start: Start) -> None:
    run = start(pairs=5, batch_size=2, validation_split=0.4, epochs=15)
    rows = read_metrics(run.path)
    losses = [row["validation_loss"] for row in rows]
    assert run.best == {"epoch": losses.index(min(losses)), "validation_loss": min(losses)}


def test_batches_without_learning_add_up_to_the_whole(start: Start, tmp_path: Path) -> None:
    losses = []
    for size in (None, 2):
        run = start(
            pairs=5,
            batch_size=size,
            epochs=1,
            optimizer={"type": "sgd", "learning_rate": 1e-12},
            options={"run_dir": tmp_path / str(size)},
        )
        losses.append(read_metrics(run.path)[0]["loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_early_stopping_ends_the_run(start: Start) -> None:
    run = start(
        epochs=500,
        optimizer={"type": "sgd", "learning_rate": 1e-12},
        early_stopping={"patience_epochs": 3},
    )
    record = read_record(run.path)
    assert run.status == "done"
    assert record["stopped_early"]
    assert record["epochs_done"] == len(read_metrics(run.path)) == 4


def test_clipping_limits_the_step(start: Start) -> None:
    run = start(
        epochs=1,
        gradient_clip=1e-3,
        optimizer={"type": "sgd", "learning_rate": 1.0},
        options={"finish": lambda path, graph, best: save_file(numpy(best), path / "first")},
    )
    first = load_file(run.path / "first")  # the best weights are those before the only step
    last = load_file(run.path / "checkpoints/last.safetensors")
    length = np.sqrt(sum(np.square(last[name] - first[name]).sum() for name in first))
    assert length == pytest.approx(1e-3, rel=1e-2)
    row = read_metrics(run.path)[0]
    assert np.hypot(*row["gradient_norms"].values()) > 1e-2


def numpy(tensors: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in tensors.items()}


def test_finish_sees_the_run_before_it_is_done(start: Start) -> None:
    seen = []

    def finish(path: Path, graph: Any, best: dict[str, Any]) -> None:
        seen.append(
            (read_record(path)["status"], graph.name, "layers.hidden.synapse.weight" in best)
        )

    start(options={"finish": finish})
    assert seen == [("running", "tiny", True)]


# Endings


def poison(number: int) -> Callable[[], None]:
    """Makes the next gradient of a layer NaN, before its figures are read."""
    add = Figures.add

    def act() -> None:
        def bad(self: Figures, *batch: Any, **how: Any) -> None:
            (parameter,) = list(self._parameters.values())[number]
            parameter.grad[0, 0] = np.nan
            add(self, *batch, **how)

        Figures.add = bad

    return act


def test_divergence_names_epoch_and_layer_and_keeps_the_checkpoint(
    start: Start, after_epoch: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Figures, "add", Figures.add)  # put back afterwards
    after_epoch(3, poison(-1))
    run = start(epochs=10)
    assert (run.status, run.exit_code) == ("diverged", 4)
    assert 'epoch 4: the gradient of layer "output" is NaN or too large' in run.message
    assert read_record(run.path)["status"] == "diverged"
    assert len(read_metrics(run.path)) == 3
    for name in ("last", "best"):
        weights = load_file(run.path / f"checkpoints/{name}.safetensors")
        assert all(np.isfinite(array).all() for array in weights.values())
    again = train(resume=run.path, progress="quiet")
    assert again.status == "diverged"


def test_weights_that_a_step_made_infinite_are_never_saved(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = torch.optim.SGD.step
    monkeypatch.setattr(checkpoint.Saver, "is_due", lambda self, now: True)

    def explode(self: torch.optim.SGD, *arguments: Any) -> Any:
        step(self, *arguments)
        with torch.no_grad():
            self.param_groups[0]["params"][0][0, 0] = np.inf

    monkeypatch.setattr(torch.optim.SGD, "step", explode)
    run = start(optimizer={"type": "sgd", "learning_rate": 0.1})
    assert run.status == "diverged"
    assert 'epoch 1: a weight of layer "hidden"' in run.message
    weights = load_file(run.path / "checkpoints/last.safetensors")
    assert all(np.isfinite(array).all() for array in weights.values())


def test_first_weights_that_are_at_fault(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = 'a weight of layer "hidden" is NaN or too large'
    monkeypatch.setattr(loop, "weight_fault", lambda _: fault)
    run = start()
    assert (run.status, run.exit_code) == ("diverged", 4)
    assert run.message == f"training cannot begin: {fault}"
    assert read_record(run.path)["message"] == run.message
    assert run.message in train(resume=run.path, progress="quiet").message


@pytest.mark.filterwarnings("error")
def test_a_loss_that_32_bits_cannot_hold(tmp_path: Path) -> None:
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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_after_its_epoch(
    start: Start, after_epoch: Callable, number: int
) -> None:
    before = signal.getsignal(number)
    after_epoch(2, lambda: os.kill(os.getpid(), number))
    run = start(epochs=10)
    assert (run.status, run.exit_code) == ("interrupted", 130)
    assert len(read_metrics(run.path)) == 3
    record = read_record(run.path)
    assert (record["status"], record["epochs_done"]) == ("interrupted", 3)
    assert "after 3 epochs is safe" in run.message
    assert signal.getsignal(number) is before
    assert train(resume=run.path, progress="quiet").status == "done"
    assert len(read_metrics(run.path)) == 10


def test_the_last_line_of_an_interrupted_run_is_of_its_last_epoch(
    start: Start, after_epoch: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    after_epoch(2, lambda: os.kill(os.getpid(), signal.SIGINT))
    start(epochs=1000, options={"progress": "plain"})
    lines = capsys.readouterr().err.splitlines()
    assert lines[-2].startswith("epoch    3/1000")
    assert "the checkpoint after 3 epochs is safe" in lines[-1]


def test_the_first_checkpoint_of_a_sitting_comes_early(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each epoch takes 2 s by a clock of our own; checkpoints are wanted every 30 s."""
    clock, saved = SimpleNamespace(perf_counter=lambda: now), []
    now, set_rate, save = 0.0, loop.set_learning_rate, checkpoint.Saver.save

    def watched(*arguments: Any) -> None:
        nonlocal now
        now += 2.0
        set_rate(*arguments)

    def noted(saver: checkpoint.Saver, progress: checkpoint.Progress, length: int) -> None:
        saved.append((progress.epoch, now))
        save(saver, progress, length)

    monkeypatch.setattr(loop, "set_learning_rate", watched)
    monkeypatch.setattr(loop, "time", clock)
    monkeypatch.setattr(checkpoint, "time", clock)
    monkeypatch.setattr(checkpoint.Saver, "save", noted)
    start(epochs=40)
    assert saved == [(0, 0.0), (3, 6.0), (18, 36.0), (33, 66.0), (40, 80.0)]


def test_a_second_signal_quits_at_once(start: Start, after_epoch: Callable) -> None:
    def twice() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    after_epoch(2, twice)
    run = start(epochs=10)
    assert run.status == "interrupted"
    assert "the checkpoint after 0 epochs is safe" in run.message
    assert len(read_metrics(run.path)) == 2
    best, initial = (
        load_file(run.path / f"checkpoints/{name}.safetensors") for name in ("best", "initial")
    )
    assert any((best[name] != initial[name]).any() for name in best)
    assert train(resume=run.path, progress="quiet").status == "done"


def test_a_full_disk_fails_the_run_and_loses_nothing(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync, run = os.fsync, tmp_path / "run"
    monkeypatch.setattr(checkpoint.Saver, "is_due", lambda self, now: True)

    def full_after_three_epochs(file: int) -> None:
        if (run / "metrics.jsonl").exists() and len(read_metrics(run)) > 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(file)

    monkeypatch.setattr(os, "fsync", full_after_three_epochs)
    with pytest.raises(kinds.StorageError, match="no space left on the device") as error:
        start(epochs=8)
    assert error.value.exit_code == 3
    assert "the checkpoint after 3 epochs is safe" in str(error.value)
    monkeypatch.setattr(os, "fsync", fsync)
    assert train(resume=run, progress="quiet").status == "done"
    other = start(epochs=8, options={"run_dir": tmp_path / "other"})
    assert weights_of(run) == weights_of(other.path)


def test_an_error_of_ours_is_noted_and_raised(start: Start, tmp_path: Path) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        start(options={"finish": fail})
    record = read_record(tmp_path / "run")
    assert (record["status"], record["message"]) == ("failed", "RuntimeError: broken")


# Resuming


def test_a_finished_run_is_left_as_it_is(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = start()
    before = {p: p.stat().st_mtime_ns for p in run.path.rglob("*")}
    again = train(resume=run.path, progress="plain")
    assert again.status == "done"
    assert "done already" in capsys.readouterr().err
    assert {p: p.stat().st_mtime_ns for p in run.path.rglob("*")} == before


def interrupted(start: Start, after_epoch: Callable) -> Path:
    after_epoch(2, lambda: os.kill(os.getpid(), signal.SIGINT))
    return start(epochs=6).path


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("network.lock.json", lambda held: held + b"\n", "was changed after this run began"),
        ("../task/target0.bs1", lambda held: held + bytes(5), r"target0\.bs1"),
        ("checkpoints/last.state", lambda held: held[:-100], "damaged"),
        ("run.json", lambda held: held[:-100], "cannot read the record"),
    ],
)
def test_what_was_changed_since_is_refused(
    file: str,
    change: Callable[[bytes], bytes],
    message: str,
    start: Start,
    after_epoch: Callable,
) -> None:
    run = interrupted(start, after_epoch)
    (run / file).write_bytes(change((run / file).read_bytes()))
    with pytest.raises(ValueError, match=message):
        train(resume=run, progress="quiet")


def test_a_run_that_has_lost_its_checkpoint_does_not_begin_anew(
    start: Start, after_epoch: Callable
) -> None:
    """Its figures would be lost, too."""
    run = interrupted(start, after_epoch)
    metrics = (run / "metrics.jsonl").read_bytes()
    assert metrics
    (run / "checkpoints/last.state").unlink()
    with pytest.raises(kinds.ResumeError, match=r"is gone; .* --set weights\.path=") as error:
        train(resume=run, progress="quiet")
    assert (run / "metrics.jsonl").read_bytes() == metrics
    *_, lock, _, weights = shlex.split(str(error.value))
    anew = train(load(Path(lock), [weights]), run_dir=run.parent / "anew", progress="quiet")
    assert anew.status == "done"


# What is refused before a run begins


def test_weights_that_do_not_fit_name_keys_and_shapes(start: Start, tmp_path: Path) -> None:
    run = start(epochs=1)
    weights = load_file(run.path / "checkpoints/last.safetensors")
    weights["layers.hidden.synapse.weight"] = weights["layers.hidden.synapse.weight"][:3]
    weights["layers.extra.synapse.weight"] = weights.pop("layers.output.synapse.weight")
    save_file(weights, tmp_path / "bad.safetensors")
    document = json.loads((tmp_path / "task/tiny.json").read_text())
    document["weights"] = {"path": "../bad.safetensors"}
    (tmp_path / "task/bad.json").write_text(json.dumps(document))
    with pytest.raises(TrainingError) as error:
        train(netdesc.load(tmp_path / "task/bad.json"), run_dir=tmp_path / "bad")
    message = str(error.value)
    assert "layers.output.synapse.weight is missing" in message
    assert "layers.extra.synapse.weight has no place" in message
    assert "layers.hidden.synapse.weight has shape [3, 12]; the network's is [16, 12]" in message
    assert not (tmp_path / "bad").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "abacus"}, "unknown engine"),
        ({"device": "abacus"}, "unknown device"),
        pytest.param(
            {"device": "cuda"},
            '"cuda" is not available',
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here"),
        ),
    ],
)
def test_a_machine_that_is_not_there_is_one_clear_error(
    options: dict[str, str], message: str, start: Start, tmp_path: Path
) -> None:
    with pytest.raises(kinds.DeviceError, match=message) as error:
        start(options=options)
    assert error.value.exit_code == 3
    assert not (tmp_path / "run").exists()


def test_a_run_gets_a_folder_of_its_own_below_runs(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = start(epochs=1, options={"run_dir": None})
    assert run.path.parent == Path("runs/tiny")
    assert read_record(run.path)["status"] == "done"
