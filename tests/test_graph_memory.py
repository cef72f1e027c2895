"""The memory that ``graph.memory`` counts is the memory that the engine takes."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from netdesc.training.data import Batch
from netdesc.training.direct import DirectStep
from netdesc.training.steps import build_step

from netdesc.description import Document
from netdesc.graph import SpikeRate, build_graph
from netdesc.graph.memory import batch_memory, layer_memory
from netdesc.kernels.cpu import buffers
from netdesc.kernels.cpu.lanes import LANES
from netdesc.losses import build_loss
from netdesc.modules import build
from netdesc.training.figures import Figures

STEPS, BATCH = 400, 4


def graph_of(
    units: list[int],
    neuron: dict[str, Any],
    layer: dict[str, Any],
    loss: Any = None,
    flattened: Mapping[str, str | list[str]] = {},
):
    """One layer after the other, and then flatten layers by what they read."""
    document = {
        "format": 1,
        "name": "sizes",
        "time": {"steps": STEPS},
        "input": {"shape": [60]},
        "layers": [
            {"name": f"l{n}", "type": "dense", "units": size, "weight_scale": 2,
             "neuron": {"type": "cuba", "threshold": 0.5, "current_decay": 1.0,
                        "voltage_decay": 0.3, **neuron}, **layer}
            for n, size in enumerate(units)
        ] + [{"name": name, "type": "flatten", "from": read} for name, read in flattened.items()],
        "loss": loss or {"type": "spike_time", "time_constant_ms": 2.0},
        "training": {"epochs": 1, "optimizer": {"type": "adam", "learning_rate": 0.01}},
    }  # fmt: skip
    return build_graph(Document.model_validate_json(json.dumps(document)))


def measured(graph: Any, monkeypatch: pytest.MonkeyPatch) -> int:
    """Bytes that grow with steps and batch in the engine's pool after some steps of training."""
    torch.manual_seed(0)
    network = build(graph, seed=0)
    step = training_step(graph, network)
    step()  # loads what takes memory, and what Numba compiles it may hold for a while
    pool = buffers.BufferPool()
    # What is used for a moment only is not counted.
    for name, replaced in ("take", pool.take), ("scratch", np.empty):
        for module in list(sys.modules.values()):
            if module.__name__.startswith("netdesc.kernels.cpu.") and hasattr(module, name):
                monkeypatch.setattr(module, name, replaced)
    monkeypatch.setattr("netdesc.kernels.cpu.adjoints._RUN", 100)
    monkeypatch.setattr("netdesc.kernels.cpu.by_samples._AT_ONCE", 1)
    for module in ("threads", "ending", "descent", "by_samples"):
        monkeypatch.setattr(f"netdesc.kernels.cpu.{module}.threads", lambda: 1)
    for _ in range(2):
        step()
    assert {report.path for report in network.engine_report()} == {"events"}
    left_out = set[int]()
    for layer in graph.layers:
        outputs, inputs = layer.output_shape[0], layer.input_shape[0]
        left_out.add(4 * LANES * inputs * math.ceil(outputs / LANES))
    return sum(size * len(held) for size, held in pool._buffers.items() if size not in left_out)


def training_step(graph: Any, network: Any) -> Callable[[], None]:
    """From a batch to gradients, as training computes them."""
    input_TBN = (torch.rand(STEPS, BATCH, 60) < 0.03).float()
    target = (torch.rand(STEPS, BATCH, *graph.output_shape) < 0.03).float()
    if isinstance(graph.loss, SpikeRate):
        target = torch.arange(BATCH)
    job: Any = SimpleNamespace(
        graph=graph,
        network=network,
        loss=build_loss(graph),
        optimizer=torch.optim.SGD(network.parameters(), lr=0.0),
        train=SimpleNamespace(samples=range(BATCH)),
        device=torch.device("cpu"),
    )
    step = build_step(job, Figures(network, network.blocks()), lambda _: None)
    assert isinstance(step, DirectStep)
    batch = Batch(input_TBN, target, BATCH)
    return lambda: step.differentiate(batch)


BY_LABEL = {"type": "spike_rate", "true_rate": 0.5, "false_rate": 0.1}
WINDOW = BY_LABEL | {"window_steps": 20}


@pytest.mark.parametrize("units", [[90, 50], [70, 110, 30], [90, 90]])
@pytest.mark.parametrize("loss", [None, BY_LABEL, WINDOW])
@pytest.mark.parametrize(
    ("neuron", "layer"),
    [
        ({}, {}),
        ({}, {"weight_norm": True}),
        ({}, {"quantization": None}),
        ({"dropout": 0.1}, {}),
        ({"norm": "mean", "learn": ["voltage_decay"]}, {}),
        ({"norm": "mean", "dropout": 0.1, "learn": ["current_decay"]}, {"quantization": None}),
    ],
    ids=["plain", "weight norm", "off the grid", "dropout", "mean", "mean, dropped"],
)
def test_event_layers_take_what_is_counted(
    units: list[int],
    loss: Any,
    neuron: dict[str, Any],
    layer: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    graph = graph_of(units, neuron, layer, loss)
    counted = sum(layer_memory(graph, each, BATCH, 2).activity for each in graph.layers)
    assert counted == pytest.approx(measured(graph, monkeypatch), rel=0.08)


@pytest.mark.parametrize(
    ("neuron", "layer", "loss", "words"),
    [
        ({}, {}, None, 10),
        ({"learn": ["voltage_decay"]}, {}, None, 10),
        ({}, {"weight_norm": True}, None, 10),
        ({}, {"quantization": None}, None, 10),
        ({"dropout": 0.2}, {}, None, 10),
        ({"norm": "mean"}, {}, None, 10),
        ({"norm": "mean"}, {}, BY_LABEL, 10),
        ({}, {}, WINDOW, 15),
    ],
)
def test_activity_is_counted_by_neuron_and_input(
    neuron: dict[str, Any], layer: dict[str, Any], loss: Any, words: int
) -> None:
    graph = graph_of([10], neuron, layer, loss)
    assert layer_memory(graph, graph.layers[0], BATCH, 2).activity == 4 * words * STEPS * BATCH


@pytest.mark.parametrize(
    ("neuron", "layer", "loss"),
    [
        ({}, {}, None),
        ({}, {}, WINDOW),
        ({"dropout": 0.1, "norm": "mean"}, {"quantization": None}, BY_LABEL),
    ],
    ids=["trains", "window", "rates, dropped"],
)
@pytest.mark.parametrize(
    ("units", "summed", "words"),
    [
        ([50, 90, 90], ["l1", "l2"], 230 + 90),
        ([60], ["input", "l0"], 60 + 30),
        ([70, 60], ["l1", "input"], 130 + 30),
    ],
    ids=["two layers", "one and the input", "one, a layer before it, and the input"],
)
def test_a_sum_that_is_the_output_takes_what_is_counted_at_most(
    units: list[int],
    summed: list[str],
    words: int,
    neuron: dict[str, Any],
    layer: dict[str, Any],
    loss: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    graph = graph_of(units, neuron, layer, loss, {"sum": summed, "end": "sum"})
    counted = sum(layer_memory(graph, each, BATCH, 2).activity for each in graph.layers)
    assert counted == 4 * words * STEPS * BATCH
    taken = measured(graph, monkeypatch)
    assert 4 * sum(units) * STEPS * BATCH < taken < 1.12 * counted  # a bit for each cell, twice


def test_layers_that_nobody_reads_keep_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = graph_of([90, 50, 40], {}, {}, None, {"end": "l1"})
    activity = [layer_memory(graph, each, BATCH, 2).activity for each in graph.layers]
    assert activity[2:] == [0, 0]
    assert sum(activity) == pytest.approx(measured(graph, monkeypatch), rel=0.08)


def test_parameters_are_kept_with_their_gradients_states_and_best_values() -> None:
    graph = graph_of([10], {"learn": ["voltage_decay"]}, {"weight_norm": True})
    memory = layer_memory(graph, graph.layers[0], BATCH, 2)
    assert memory.weights == 4 * (600 + 10 + 1)
    assert memory.training == 4 * memory.weights
    assert memory.device_bits == 8 * 600
    assert layer_memory(graph, graph.layers[0], BATCH, 0).training == 2 * memory.weights


def test_weights_off_the_grid_have_no_device_bits() -> None:
    graph = graph_of([10], {}, {"quantization": None})
    assert layer_memory(graph, graph.layers[0], BATCH, 2).device_bits is None


def test_the_batch_counts_targets_only_where_there_are_some() -> None:
    assert batch_memory(graph_of([10], {}, {}), 3) == 4 * 70 * STEPS * 3
    rates = {"type": "spike_rate", "true_rate": 0.2, "false_rate": 0.03}
    assert batch_memory(graph_of([10], {}, {}, rates), 3) == 4 * 60 * STEPS * 3
