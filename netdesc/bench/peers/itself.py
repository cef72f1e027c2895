"""netdesc's own side: a network of one dense layer, built from a document as users build theirs."""

from __future__ import annotations

import contextlib
import importlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from netdesc import __version__
from netdesc.bench.peers import torch_side
from netdesc.bench.peers.measure import Layer
from netdesc.bench.peers.memory import host_growth
from netdesc.bench.peers.work import Work
from netdesc.description import Document
from netdesc.graph import Graph, build_graph
from netdesc.kernels.cpu.buffers import give_back
from netdesc.losses import build_loss
from netdesc.modules import Network, build
from netdesc.training.batches import Batches
from netdesc.training.cuda_graph import CudaGraphs, Graphs, Replayed
from netdesc.training.figures import Figures
from netdesc.training.optimizer import build_optimizer
from netdesc.training.schedule import build_schedule
from netdesc.training.setup import Setup
from netdesc.training.step import build_step

VERSION = __version__


def prepare_forks() -> None:
    """Loads what the first pass would: it takes as long as measuring does. Starts no thread."""
    with contextlib.suppress(ImportError):
        importlib.import_module("torch.fx.experimental.symbolic_shapes")
    importlib.import_module("netdesc.kernels.cpu.engine")
    importlib.import_module("numba").njit(lambda: 0).compile(())


def layer(work: Work) -> Layer:
    """The memory is that of a step with the spike-time loss where ``settings["loss"]`` names one.

    On a GPU a step is captured and replayed, as in training.
    """
    made = _made(work)
    on_cpu = torch_side.device_of(work).type == "cpu"
    return replace(made, growth=_growth(work)) if on_cpu else made


def _growth(work: Work) -> Callable[[Callable[[], None]], int | None]:
    """Measures what a step takes that needs no kernel compiled, or loaded, and finds no memory.

    Another layer with the same work has made its first step then.
    """

    def growth(step: Callable[[], None]) -> int | None:
        other = _made(work)
        (other.loss_step or other.step)()
        del other
        give_back()
        return host_growth(step)

    return growth


def _made(work: Work) -> Layer:
    document = Document.model_validate_json(json.dumps(_document(work)))
    graph = build_graph(document)
    model = build(graph).to(torch_side.device_of(work))
    weight = torch_side.tensor(work.numbers["weight_OI"], work)
    model.load_state_dict({"layers.layer.synapse.weight": weight}, strict=False)
    (parameter,) = model.parameters()
    loss_step = _LOSS_STEPS[work.settings["loss"]]
    made = torch_side.layer(
        "dense layer of cuba neurons (8-bit weights, one step of delay)",
        work,
        model,
        parameter,
        loss_step=loss_step(_setup(work, document, graph, model)) if loss_step else None,
        path=lambda: model.engine_report()[0].path,
    )
    return captured(made, CudaGraphs(parameter.device)) if parameter.is_cuda else made


def captured(made: Layer, graphs: Graphs) -> Layer:
    """The layer with its step captured; ``path`` tells whether that could be done.

    A single step before it is enough, because all of them are alike.
    """
    step = Replayed(made.step, graphs, warm_up=1)
    return replace(
        made,
        step=step,
        path=lambda: f"{made.path()}, captured" if step.is_captured else made.path(),
    )


def _document(work: Work) -> dict[str, Any]:
    steps, _, inputs = work.spikes["input"].shape
    not_read = {"path": "none.bs1"}
    return {
        "format": 1,
        "name": "layer",
        "time": {"steps": steps, "step_ms": 1.0},
        "data": {"type": "spike_files", "train": [{"input": not_read, "target": not_read}]},
        "input": {"shape": [inputs]},
        "layers": [
            {
                "name": "layer",
                "type": "dense",
                "units": len(work.numbers["weight_OI"]),
                "neuron": {"type": "cuba", **work.settings["neuron"]},
            }
        ],
        "loss": {"type": "spike_time", "time_constant_ms": 2.0},
        "training": {"epochs": 1, "optimizer": {"type": "adam", "learning_rate": 0.001}},
    }


@dataclass(frozen=True)
class _Held:
    """Samples that are there in full: spikes [steps, samples, inputs], and a target of silence."""

    spikes_TBI: np.ndarray
    neurons: int
    is_random: bool = False
    labels: None = None

    def __len__(self) -> int:
        return self.spikes_TBI.shape[1]

    def __getitem__(self, which: slice | np.ndarray) -> _Held:
        return replace(self, spikes_TBI=self.spikes_TBI[:, which])

    def dense(self, draws: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        silence_TBN = np.empty((*self.spikes_TBI.shape[:2], self.neurons), np.float32)
        silence_TBN.fill(0)  # the system hands out zeros only when they are touched
        return self.spikes_TBI, silence_TBN


def _setup(work: Work, document: Document, graph: Graph, model: Network) -> Setup:
    device, training = torch_side.device_of(work), document.training
    samples = _Held(work.dense("input"), graph.output_shape[0])
    return Setup(
        graph=graph,
        training=training,
        network=model,
        loss=build_loss(graph),
        classifier=None,
        optimizer=build_optimizer(training.optimizer, model),
        rate=build_schedule(training),
        train=Batches(samples, None, device, 0),
        validation=None,
        device=device,
    )


def _training_step(setup: Setup) -> Callable[[], None]:
    """From a batch to gradients, as a run of netdesc does it."""
    figures = Figures(setup.network)
    step = build_step(setup, figures, say=lambda _: None)
    (batch,) = setup.train.in_order()
    return lambda: step.compute_gradients(batch)


def _loop_step(setup: Setup) -> Callable[[], None]:
    """The same as a loop of one's own does it: forward pass, loss and backward pass."""
    (batch,) = setup.train.in_order()

    def step() -> None:
        setup.network.zero_grad()
        setup.loss(setup.network(batch.input_TBN), batch.target).backward()

    return step


_LOSS_STEPS: dict[str | None, Callable[[Setup], Callable[[], None]] | None] = {
    None: None,
    "training": _training_step,
    "loop": _loop_step,
}
