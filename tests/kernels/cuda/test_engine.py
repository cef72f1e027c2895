"""The CUDA engine: where it runs, its errors, and that it never waits for the device."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.cli_process import Netdesc
from support.cuba_cases import CUBA, GPU, cuba_parameters, plain_layer
from support.neuron_definitions import RF
from support.training_task import read_metrics, read_record, write_task
from torch.utils._python_dispatch import TorchDispatchMode

from netdesc.kernels.cuda import availability
from netdesc.kernels.engines import EngineError, engine_name, use_engine
from netdesc.kernels.layer_neurons import make_neurons
from netdesc.kernels.segments import SegmentLayer, check_segment

needs_triton = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="Triton is not installed"
)
needs_gpu = pytest.mark.skipif(GPU.type != "cuda", reason="no GPU here")
CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture(autouse=True)
def _clear_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_triton_problem", "_card_problem"):
        monkeypatch.setattr(availability, name, getattr(availability, name).__wrapped__)


def machine(
    monkeypatch: pytest.MonkeyPatch,
    built_for: str | None = "12.8",
    has_gpu: bool = True,
    capability: tuple[int, int] = (9, 0),
    triton: str | None = "3.6.1",
) -> None:
    """Makes this machine look like another one; Triton is a module with only a version."""
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    monkeypatch.setattr(torch.version, "cuda", built_for)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_gpu)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Big GPU")
    module: Any = None if triton is None else type(sys)("triton")
    if triton is not None:
        module.__version__ = triton
    monkeypatch.setitem(sys.modules, "triton", module)


def test_a_gpu_computes_on_this_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch)
    assert engine_name(CUDA) == "cuda"
    with use_engine("cuda"):
        assert engine_name(CUDA) == "cuda"
    with use_engine("reference"):
        assert engine_name(CUDA) == "reference"


@pytest.mark.parametrize(
    ("changed", "device", "message"),
    [
        ({"built_for": None}, CPU, r"torch is built without CUDA; .*https://pytorch\.org/"),
        ({"built_for": None}, CUDA, "torch is built without CUDA"),
        ({"has_gpu": False}, CPU, "finds no usable NVIDIA GPU; nvidia-smi"),
        ({"has_gpu": False}, CUDA, "finds no usable NVIDIA GPU"),
        ({}, CPU, "computes on device 'cuda', but the tensors are on 'cpu'"),
        ({"triton": None}, CUDA, "needs Triton, which is not installed: pip install triton"),
        ({"triton": "3.2.0"}, CUDA, r"needs Triton 3\.3 or later, not 3\.2\.0: pip install"),
        ({"capability": (6, 1)}, CUDA, r"capability 7\.5 or more, and Big GPU has 6\.1"),
    ],
)
def test_an_error_says_what_is_missing_and_what_to_do(
    changed: dict[str, Any], device: torch.device, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(monkeypatch, **changed)
    with use_engine("cuda"), pytest.raises(EngineError, match=message) as error:
        engine_name(device)
    assert str(error.value).startswith("engine 'cuda' cannot run: ")
    assert "\n" not in str(error.value)
    assert error.value.exit_code == 3


def test_other_devices_are_not_for_this_engine() -> None:
    with use_engine("cuda"), pytest.raises(EngineError, match=r"runs on device 'cuda'.* 'meta'"):
        engine_name(torch.device("meta"))


def test_an_environment_variable_starts_the_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, built_for=None)
    for value, chosen in (("1", True), ("true", True), ("0", False), ("", False)):
        monkeypatch.setenv("TRITON_INTERPRET", value)
        assert availability.is_interpreted() is chosen
        assert (availability.why_unavailable(CPU) is None) is chosen
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert engine_name(CPU) == "cpu", "it must be forced, too"


@needs_triton
def test_the_interpreter_cannot_be_chosen_after_the_import() -> None:
    code = """
import os, torch, netdesc.kernels.cuda.engine
from netdesc.kernels import operators
from netdesc.kernels.engines import EngineError, use_engine
os.environ["TRITON_INTERPRET"] = "1"
try:
    with use_engine("cuda"):
        operators.spike_time(torch.zeros(1, 1, 1), torch.zeros(1, 1, 1), 0.6, 2, 9, True)
except EngineError as error:
    print(error)
"""
    ended = subprocess.run(
        [sys.executable, "-c", "import os; os.environ.pop('TRITON_INTERPRET', None)" + code],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "set it before Python starts" in ended.stdout


# The command line


@pytest.mark.parametrize(
    ("command", "option"),
    [("train", "--device"), ("compile-and-train", "--engine"), ("compile", "--engine")],
)
def test_commands_end_with_one_message(
    command: str, option: str, netdesc: Netdesc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(monkeypatch, built_for=None, has_gpu=False)
    outcome = netdesc(command, write_task(tmp_path / "task"), option, "cuda")
    assert outcome.code == 3
    errors = [line for line in outcome.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert "torch is built without CUDA" in errors[0]
    assert "Traceback" not in outcome.err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("what", ["oxford", "layer", "sweep"])
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"built_for": None, "has_gpu": False}, "torch is built without CUDA"),
        ({"has_gpu": False}, "torch finds no usable GPU"),
        ({"triton": None}, "needs Triton, which is not installed"),
        ({"capability": (6, 1)}, "Big GPU has 6.1"),
    ],
)
def test_benchmarks_end_with_one_message(
    what: str,
    changed: dict[str, Any],
    message: str,
    netdesc: Netdesc,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine(monkeypatch, **changed)
    outcome = netdesc("bench", what, "--device", "cuda")
    assert (outcome.code, outcome.out) == (3, "")
    assert message in outcome.err
    assert len(outcome.err.splitlines()) == 1


@needs_triton
@pytest.mark.skipif(GPU.type == "cuda", reason="a GPU would be used")
def test_a_run_on_this_engine_is_the_run_of_the_reference(netdesc: Netdesc, tmp_path: Path) -> None:
    task = write_task(tmp_path / "task", epochs=1)
    losses = []
    for engine in ("cuda", "reference"):
        folder = tmp_path / engine
        short = ("--engine", engine, "--set", "time.steps=6")
        outcome = netdesc("compile-and-train", task, "--run-dir", folder, *short)
        assert outcome.code == 0, outcome.err
        assert {layer["engine"] for layer in read_record(folder)["layers"]} == {engine}
        losses.append([epoch["loss"] for epoch in read_metrics(folder)])
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


# Operators in torch


@needs_triton
def test_opcheck_accepts_the_operators() -> None:
    tensors = plain_layer(1, steps=5).tensors("spikes", "weight", "current_decay", engine="cuda")
    parameters = [tensors["current_decay"]] * 6
    calls: dict[str, tuple[Any, ...]] = {
        "segment": (
            tensors["spikes"], [tensors["weight"]], parameters, CUBA, [1, 1], True
        ),
        "neurons": (
            [tensors["spikes"]] * 2, [], [tensors["voltage_decay"]] * 5, [], RF.to_text(), 1, True,
            True,
        ),
        "spike_time": (tensors["spikes"], torch.zeros_like(tensors["spikes"]), 0.6, 2, 100, True),
    }  # fmt: skip
    utilities = ("test_schema", "test_autograd_registration", "test_faketensor")
    with use_engine("cuda"):
        for name, arguments in calls.items():
            operator = getattr(torch.ops.netdesc, name).default
            torch.library.opcheck(operator, arguments, test_utils=utilities)


@needs_triton
def test_autocast_changes_nothing_in_operators() -> None:
    layer = plain_layer(2, steps=9)
    results = []
    for autocast in (False, True):
        tensors = layer.tensors("weight", engine="cuda")
        with torch.autocast(GPU.type, dtype=torch.bfloat16, enabled=autocast):
            out, voltage, *_ = layer.forward("cuda", tensors)
            out.sum().backward()
        results.append([out, voltage, tensors["weight"].grad])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


class NoWaiting(TorchDispatchMode):
    """Refuses the operations for which a program waits for its GPU."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        assert name not in ("_local_scalar_dense", "nonzero", "item", "equal"), name
        return func(*args, **(kwargs or {}))


def layer_of(tensors: dict[str, torch.Tensor], learn: bool) -> SegmentLayer:
    """CUBA neurons whose decays are learnt."""
    decays = tensors["current_decay"], tensors["voltage_decay"]
    parameters = cuba_parameters(decays, tensors["bias"], (0.5, 1.0, 1.0))
    return SegmentLayer(tensors["weight"], make_neurons(CUBA, learn, parameters, 37, 1))


def one_step(parameters: dict[str, torch.Tensor], cuba: SegmentLayer) -> list[torch.Tensor]:
    """Forward pass, loss and backward pass of a layer, and of neurons of another kind."""
    from netdesc.kernels.cuda import engine

    spikes, decay = parameters["spikes"], parameters["current_decay"]
    out, counts, saved = engine.segment(spikes, [cuba], True)
    loss, grad = engine.spike_time(out, torch.zeros_like(out), 0.9, 2, 3, True)
    grad_input, *grads = engine.segment_backward(grad, spikes, [cuba], saved, True)
    resonators = make_neurons(RF.to_text(), True, [decay] * 5, 37, 1)
    graded, counts_of_them, _, saved = engine.neurons([out, grad], resonators, [], True)
    back = engine.neurons_backward(grad, resonators, saved)
    return [
        out, *counts, loss, grad_input, *grads[0], *grads[1], graded, counts_of_them,
        *back.inputs_TBN, *back.parameters,
    ]  # fmt: skip


@needs_triton
def test_no_step_waits_for_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels are not started, as the interpreter reads their arguments."""
    from netdesc.kernels.cuda import launch, synapses

    parameters = plain_layer(3, steps=5).tensors(engine="cuda")
    cuba = layer_of(parameters, learn=True)
    one_step(parameters, cuba)  # what is generated once may wait
    for module in (launch, synapses):
        monkeypatch.setattr(module, "start_programs", lambda *_, **__: None)
    with NoWaiting():
        one_step(parameters, cuba)
    with pytest.raises(AssertionError, match="_local_scalar_dense"), NoWaiting():
        torch.ones(1).item()


class OperationsOfTorch(TorchDispatchMode):
    """Records the names of operations that start kernels of torch."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        views = ("empty", "new_empty", "view", "unbind", "select", "detach", "unsqueeze")
        if not name.startswith(views):
            self.names.append(name)
        return func(*args, **(kwargs or {}))


@needs_triton
@pytest.mark.parametrize("learn", [False, True])
def test_parameters_need_no_work_of_torch(learn: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU each would launch a kernel, which takes as long as a small layer."""
    from netdesc.kernels.cuda import engine, launch, synapses

    for module in (launch, synapses):
        monkeypatch.setattr(module, "start_programs", lambda *_, **__: None)
    tensors = plain_layer(3, steps=5).tensors(engine="cuda")
    layers, spikes = [layer_of(tensors, learn)], tensors["spikes"]
    with OperationsOfTorch() as seen:
        out, _, saved = engine.segment(spikes, layers, True)
    with OperationsOfTorch() as seen_back:
        engine.segment_backward(out, spikes, layers, saved, True)
    assert seen.names == ["zeros"], "the counts"
    assert seen_back.names == ["sum"] * learn, "over the samples"


@needs_gpu
def test_a_step_can_be_captured_and_replayed() -> None:
    layer = plain_layer(3, steps=5)
    parameters = layer.tensors(engine="cuda")
    cuba = layer_of(parameters, learn=True)
    expected = one_step(parameters, cuba)
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        one_step(parameters, cuba)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = one_step(parameters, cuba)
    parameters["spikes"].zero_()
    graph.replay()
    assert captured[0].sum() == 0
    parameters["spikes"].copy_(torch.from_numpy(layer.spikes))
    graph.replay()
    for ours, theirs in zip(captured, expected, strict=True):
        np.testing.assert_array_equal(ours.cpu().numpy(), theirs.cpu().numpy())


@needs_triton
def test_tensors_of_several_devices_are_refused() -> None:
    """A kernel would use an address of one device on the other."""
    signal, meta = torch.zeros(3, 1, 4, device=GPU), torch.zeros(4, device="meta")
    parameters = [torch.tensor(0.5, device=GPU), *[meta] * 5]
    neurons = make_neurons(CUBA, True, parameters, 4, 1)
    with pytest.raises(ValueError, match="parameter 'current_decay' is on device 'meta'"):
        check_segment(signal, [SegmentLayer(torch.zeros(4, 4, device=GPU), neurons)])
