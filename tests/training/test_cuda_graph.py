"""Captured and replayed training steps; ``graphs_on_cpu`` replaces the graphs of a GPU."""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from support.classify_task import write_classify_task
from support.graphs_on_cpu import CpuGraphs
from support.grids import slow
from support.training_task import read_metrics, small_network, train, untimed_metrics, write_task

from netdesc.api.load import load
from netdesc.data.batches import Batch
from netdesc.training import loop, optimizer
from netdesc.training.cuda_graph import WARM_UP, CaptureError, CudaGraphs
from netdesc.training.interrupt import StopRequest
from netdesc.training.metrics import EpochMetricsSum
from netdesc.training.setup import prepare
from netdesc.training.step import CapturedStep, EagerStep, build_step

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


def outcome(run: Path) -> tuple[list[dict[str, Any]], dict[str, torch.Tensor]]:
    """The results of a run without its times: metrics, and last and best weights."""
    weights = {
        f"{file}.{name}": tensor
        for file in ("last", "best")
        for name, tensor in load_file(run / "checkpoints" / f"{file}.safetensors").items()
    }
    return untimed_metrics(run), weights


def assert_same(one: Path, other: Path) -> None:
    (rows, weights), (other_rows, other_weights) = outcome(one), outcome(other)
    assert rows == other_rows
    assert weights.keys() == other_weights.keys()
    for name, tensor in weights.items():
        assert torch.equal(tensor, other_weights[name]), name


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
def test_a_captured_run_is_bit_identical_to_an_eager_one(
    sets: tuple[str, ...], runner: Runner
) -> None:
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


@needs_triton
@slow
def test_a_captured_run_follows_the_schedule_of_the_surrogate(runner: Runner) -> None:
    """On the CUDA engine, interpreted; steps of other engines are not captured."""
    task, graphs = write_task(runner.folder / "task", epochs=6), CpuGraphs()
    sets = ("time.steps=6", 'neurons.cuba.tau_grad={"type": "geometric", "start": 1, "end": 0.001}')
    captured = runner.train(task, "captured", graphs, *sets, engine="cuda")
    assert graphs.replays == 2 * (6 - WARM_UP)
    assert_same(runner.train(task, "plain", None, *sets, engine="cuda"), captured)
    constant = runner.train(task, "constant", None, "time.steps=6", engine="cuda")
    assert outcome(constant)[0] != outcome(captured)[0], "the schedule makes no difference here"


def test_a_resumed_run_is_bit_identical(runner: Runner) -> None:
    task = write_task(runner.folder / "task", pairs=2, dropout=0.2, epochs=12)
    uninterrupted = runner.train(task, "uninterrupted", None)

    class Stopping(StopRequest):
        """A Ctrl-C between two replays."""

        checks = 0

        @property
        def requested(self) -> bool:
            Stopping.checks += 1
            return Stopping.checks > 12

        @requested.setter
        def requested(self, _value: bool) -> None:
            pass

    graphs = CpuGraphs()
    with runner.monkeypatch.context() as patch:
        patch.setattr("netdesc.training.session.StopRequest", Stopping)
        captured = runner.train(task, "captured", graphs)
    done = len(read_metrics(captured))
    assert WARM_UP + 1 < done < 12
    assert graphs.replays
    again = CpuGraphs()
    runner.train(task, "captured", again, resume=True)
    assert again.replays == 2 * (12 - done - WARM_UP)
    assert_same(uninterrupted, captured)


def test_divergence_is_noticed_in_a_replay(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    task, graphs = write_task(runner.folder / "task", epochs=9), CpuGraphs()
    set_rate, rates = loop.set_learning_rate, iter([0.01] * 6 + [float("inf")] * 3)
    monkeypatch.setattr(loop, "set_learning_rate", lambda opt, _: set_rate(opt, next(rates)))
    captured = runner.train(task, "captured", graphs)
    assert graphs.replays
    assert len(read_metrics(captured)) == 7
    assert "epoch 8: a weight of layer" in (captured / "run.json").read_text()


# What is captured, and what is not


def plain_batch(size: int) -> Batch:
    return Batch(torch.full((4, size, 3), float(size)), torch.zeros(4, size, 2))


class Counting:
    """A step that counts calls and records its inputs."""

    def __init__(self) -> None:
        self.inputs: list[torch.Tensor] = []
        self.updates = 0

    def compute_gradients(self, batch: Batch) -> None:
        self.inputs.append(batch.input_TBN)

    def update(self) -> None:
        self.updates += 1


class Watched(CpuGraphs):
    """Counts captures; a replay runs the work itself."""

    def __init__(self, free: int = 1 << 40, refuses: tuple[int, ...] = ()) -> None:
        super().__init__(free)
        self.refuses = refuses

    def capture(self, work: Callable[[], object]) -> Callable[[], object]:
        self.captures += 1
        if self.captures in self.refuses:
            raise CaptureError("CUDA error: operation not permitted when stream is capturing")

        def replay() -> None:
            self.replays += 1
            work()

        return replay


def steps(graphs: Watched, sizes: list[int]) -> tuple[Counting, list[str]]:
    counting, reports = Counting(), []
    step = CapturedStep(counting, graphs, reports.append)
    for size in sizes:
        step.compute_gradients(plain_batch(size))
        step.update()
    return counting, reports


def test_batches_of_the_first_shape_are_copied_into_the_captured_batch() -> None:
    graphs = Watched()
    counting, reports = steps(graphs, [5, 5, 2, 5, 5, 2, 5])
    places = [each.data_ptr() for each in counting.inputs]
    assert [each.shape[1] for each in counting.inputs] == [5, 5, 2, 5, 5, 2, 5]
    assert len({places[n] for n in (0, 1, 3, 4, 6)}) == 1
    assert (graphs.runs, graphs.captures, graphs.replays) == (6, 2, 4)
    assert counting.updates == 7
    assert len(reports) == 1


def test_the_captured_batch_is_not_copied_onto_itself() -> None:
    step, batch = CapturedStep(Counting(), Watched(), print), plain_batch(3)
    version = batch.input_TBN._version
    for _ in range(5):
        step.compute_gradients(batch)
        step.update()
    assert batch.input_TBN._version == version


@pytest.mark.parametrize(
    ("graphs", "captures", "replays", "reason"),
    [
        (Watched(free=1999), 0, 0, "that takes 0 MB, and 0 MB are free"),
        (Watched(refuses=(1,)), 1, 0, "operation not permitted when stream is capturing"),
        (Watched(refuses=(2,)), 2, 6, "operation not permitted when stream is capturing"),
    ],
)
def test_work_that_cannot_be_captured_runs_without_a_graph(
    graphs: Watched, captures: int, replays: int, reason: str
) -> None:
    counting, reports = steps(graphs, [4] * 9)
    assert len(counting.inputs) == counting.updates == 9
    assert (graphs.captures, graphs.replays) == (captures, replays)
    assert len(reports) == 1
    assert reports[0].startswith("training steps are not captured as CUDA graphs: ")
    assert reason in reports[0]


@pytest.mark.parametrize("kind", ["adam", "adamw", "radam", "sgd"])
@pytest.mark.parametrize("is_on_gpu", [False, True])
def test_optimizers_of_a_gpu_can_be_captured(
    kind: str, is_on_gpu: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_on_gpu:
        monkeypatch.setattr(optimizer, "device_rate", lambda _, rate: torch.tensor(rate))
    spec = SimpleNamespace(groups=(), optimizer=SimpleNamespace(
        type=kind, learning_rate=0.1, weight_decay=0.0, betas=(0.9, 0.99), eps=1e-8, momentum=0.0,
        nesterov=False,
    ))  # fmt: skip
    built = optimizer.build_optimizer(spec, small_network())
    for group in built.param_groups:
        assert isinstance(group["lr"], torch.Tensor) is is_on_gpu
        assert group["fused"] if kind == "sgd" else group["capturable"] is is_on_gpu


def test_on_the_cpu_no_step_is_captured_and_nothing_is_reported(tmp_path: Path) -> None:
    reports: list[str] = []
    setup = prepare(load(write_task(tmp_path)), torch.device("cpu"), reports.append)
    epoch_sum = EpochMetricsSum(setup.network)
    assert isinstance(build_step(setup, epoch_sum, reports.append), EagerStep)
    assert reports == []


def test_another_engine_on_a_gpu_is_not_captured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netdesc.training.step.engine_name", lambda device: "reference")
    reports: list[str] = []
    network = SimpleNamespace(parameters=torch.nn.Linear(1, 1).parameters, blocks={}.items)
    setup: Any = SimpleNamespace(
        device=torch.device("cuda"),
        network=network,
        train=SimpleNamespace(samples=np.zeros(1)),
        graph=SimpleNamespace(loss=SimpleNamespace(reduction="sum")),
    )
    epoch_sum: Any = SimpleNamespace()
    assert isinstance(build_step(setup, epoch_sum, reports.append), EagerStep)
    assert reports == [
        "training steps are not captured as CUDA graphs: engine 'reference' waits for the device"
    ]


def test_a_failed_capture_is_one_line_and_restores_the_stream(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
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
    step = CapturedStep(Counting(), Watched(), print)
    step.compute_gradients(plain_batch(2))
    gone = weakref.ref(step)
    gc.disable()
    try:
        del step
        assert gone() is None
    finally:
        gc.enable()
