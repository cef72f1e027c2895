"""Captured and replayed training steps; ``graphs_on_cpu`` replaces the graphs of a GPU."""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import os
import signal
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support.classify_task import write_classify_task
from support.graphs_on_cpu import CpuGraphs
from support.training_task import (
    at_epoch,
    read_metrics,
    small_network,
    train,
    untimed_metrics,
    weights_of,
    write_task,
)

from netdesc.api.load import load
from netdesc.data.batches import Batch
from netdesc.training import loop, optimizer
from netdesc.training.cuda_graph import WARM_UP, CaptureError, CudaGraphs
from netdesc.training.step import CapturedStep, EagerStep

needs_triton = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="Triton is not installed"
)


@dataclass
class Runner:
    """Trains a description with captured steps, or without capture if ``graphs`` is None."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch

    def __post_init__(self) -> None:
        # As on a GPU, the learning rate is a tensor.
        self.monkeypatch.setattr(optimizer, "device_rate", lambda _, rate: torch.tensor(rate))
        self.reports: list[str] = []

    def train(
        self, path: Path, name: str, graphs: CpuGraphs | None, *sets: str, **more: Any
    ) -> Path:
        def build(setup: Any, epoch_sum: Any, _report: Any) -> Any:
            step = EagerStep(setup, epoch_sum)
            return step if graphs is None else CapturedStep(step, graphs, self.reports.append)

        with self.monkeypatch.context() as patch:
            patch.setattr(loop, "build_step", build)
            folder = self.folder / name
            source = {"resume": folder} if more.pop("resume", False) else {
                "description": load(path, list(sets)), "run_dir": folder
            }  # fmt: skip
            train(**source, **{"device": "cpu", "progress": "quiet"} | more)
        return folder


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runner:
    return Runner(tmp_path, monkeypatch)


def assert_same(one: Path, other: Path) -> None:
    assert untimed_metrics(one) == untimed_metrics(other)
    assert weights_of(one) == weights_of(other)


COSINE = 'training.schedule={"type": "cosine", "warmup_epochs": 2}'


@pytest.mark.parametrize(
    "sets",
    [
        (COSINE,),
        ("training.gradient_clip=0.5", "training.optimizer.weight_decay=0.1",
         "training.optimizer.type=adamw"),
        ("neurons.cuba.dropout=0.3", 'neurons.cuba.learn=["current_decay", "voltage_decay"]',
         'training.optimizer={"type": "sgd", "learning_rate": 0.001, "momentum": 0.9}'),
    ],
    ids=["rate", "clip", "dropout, decays, momentum"],
)  # fmt: skip
def test_a_captured_run_is_identical_to_an_eager_one(sets: tuple[str, ...], runner: Runner) -> None:
    task, graphs = write_task(runner.folder / "task", pairs=2, epochs=9), CpuGraphs()
    captured = runner.train(task, "captured", graphs, *sets)
    assert (graphs.runs, graphs.captures, graphs.replays) == (2 * WARM_UP, 2, 2 * (9 - WARM_UP))
    assert runner.reports == ["training steps are captured as CUDA graphs"]
    assert_same(runner.train(task, "plain", None, *sets), captured)


def test_smaller_batches_and_validation_run_without_graphs(runner: Runner) -> None:
    runner.monkeypatch.setattr(  # labels are looked at on the CPU only
        "netdesc.losses.label_loss.expand_labels", lambda labels, shape, _: labels.expand(shape)
    )
    task, graphs = write_classify_task(runner.folder / "task"), CpuGraphs()
    sets = ("training.epochs=4",)
    captured = runner.train(task, "captured", graphs, *sets)
    assert graphs.captures == 2
    batches, rest = divmod(30, 8)
    assert rest, "there is a smaller batch"
    assert graphs.replays == 2 * (4 * batches - WARM_UP)
    assert_same(runner.train(task, "plain", None, *sets), captured)


def test_a_resumed_run_is_bit_identical(runner: Runner) -> None:
    task = write_task(runner.folder / "task", pairs=2, dropout=0.2, epochs=12)
    uninterrupted = runner.train(task, "uninterrupted", None)

    graphs = CpuGraphs()
    with runner.monkeypatch.context() as patch:
        at_epoch(patch, 7, lambda: os.kill(os.getpid(), signal.SIGINT))
        captured = runner.train(task, "captured", graphs)
    assert len(read_metrics(captured)) == 8
    assert graphs.replays
    again = CpuGraphs()
    runner.train(task, "captured", again, resume=True)
    assert again.replays == 2 * (12 - 8 - WARM_UP)
    assert_same(uninterrupted, captured)


def test_divergence_is_noticed_in_a_replay(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    task, graphs = write_task(runner.folder / "task", epochs=9), CpuGraphs()
    set_rate, rates = loop.set_learning_rate, iter([0.01] * 6 + [float("inf")] * 3)
    monkeypatch.setattr(loop, "set_learning_rate", lambda opt, _: set_rate(opt, next(rates)))
    captured = runner.train(task, "captured", graphs)
    assert graphs.replays
    assert len(read_metrics(captured)) == 7
    assert "epoch 8: a weight of layer" in (captured / "run.json").read_text()


@pytest.mark.parametrize(
    ("graphs", "captures", "replays", "reason"),
    [
        (CpuGraphs(free=1999), 0, 0, "that takes 0 MB, and 0 MB are free"),
        (CpuGraphs(refuses=1), 1, 0, "operation not permitted when stream is capturing"),
        (CpuGraphs(refuses=2), 2, 6, "operation not permitted when stream is capturing"),
    ],
)
def test_work_that_cannot_be_captured_runs_without_a_graph(
    graphs: CpuGraphs, captures: int, replays: int, reason: str, runner: Runner
) -> None:
    task = write_task(runner.folder / "task", epochs=9)
    run = runner.train(task, "captured", graphs)
    assert (graphs.captures, graphs.replays) == (captures, replays)
    (report,) = runner.reports
    assert report.startswith("training steps are not captured as CUDA graphs: ")
    assert reason in report
    assert_same(runner.train(task, "plain", None), run)


@pytest.mark.parametrize("kind", ["adam", "adamw", "radam", "sgd"])
@pytest.mark.parametrize("is_on_gpu", [False, True])
def test_optimizers_of_a_gpu_can_be_captured(
    kind: str, is_on_gpu: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_on_gpu:
        monkeypatch.setattr(optimizer, "device_rate", lambda _, rate: torch.tensor(rate))
    spec = SimpleNamespace(groups=(), learning_rate=0.1, optimizer=SimpleNamespace(
        type=kind, learning_rate=0.1, weight_decay=0.0, betas=(0.9, 0.99), eps=1e-8, momentum=0.0,
        nesterov=False,
    ))  # fmt: skip
    built = optimizer.build_optimizer(spec, small_network())
    for group in built.param_groups:
        assert isinstance(group["lr"], torch.Tensor) is is_on_gpu
        assert group["fused"] if kind == "sgd" else group["capturable"] is is_on_gpu


def test_failed_captures_are_told_and_restore_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    put_back: list[str] = []

    @contextlib.contextmanager
    def graph(_graph: Any, stream: Any) -> Iterator[None]:
        yield
        raise RuntimeError("CUDA error: capture invalidated\nand much more")

    for name, fake in {
        "Stream": lambda _: "side", "current_stream": lambda _: "main",
        "set_stream": put_back.append, "CUDAGraph": lambda: SimpleNamespace(replay=None),
        "graph": graph,
    }.items():  # fmt: skip
        monkeypatch.setattr(torch.cuda, name, fake)
    with pytest.raises(CaptureError, match=r"^CUDA error: capture invalidated$"):
        CudaGraphs(torch.device("cuda")).capture(lambda: None)
    assert put_back == ["main"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_on_a_gpu_a_captured_run_equals_an_eager_one(runner: Runner) -> None:
    task = write_task(runner.folder / "task", pairs=2, dropout=0.3, epochs=9)
    runner.monkeypatch.undo()
    sets = (COSINE, 'neurons.cuba.tau_grad={"type": "geometric", "start": 1, "end": 0.01}')
    graphs = CudaGraphs(torch.device("cuda"))
    captured = runner.train(task, "captured", graphs, *sets, device="cuda")
    assert runner.reports == ["training steps are captured as CUDA graphs"]
    assert_same(runner.train(task, "plain", None, *sets, device="cuda"), captured)


def test_graphs_are_freed_with_their_step() -> None:
    """They hold memory of the device, which the next run needs."""
    work: Any = SimpleNamespace(compute_gradients=lambda shards: None, update=None)
    step = CapturedStep(work, CpuGraphs(), print)
    step.compute_gradients([Batch(torch.zeros(4, 2, 3), torch.zeros(4, 2, 2))])
    gone = weakref.ref(step)
    gc.disable()
    try:
        del step
        assert gone() is None
    finally:
        gc.enable()
