"""The memory that ``graph.memory`` counts is the memory that the engine takes."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import torch

from netdesc.description import Document
from netdesc.graph import SpikeRate, build_graph
from netdesc.graph.memory import batch_memory, layer_memory
from netdesc.kernels.cpu import buffers
from netdesc.kernels.cpu.lanes import LANES
from netdesc.losses import build_loss
from netdesc.modules import build

STEPS, BATCH = 400, 3


def graph_of(units: list[int], neuron: dict[str, Any], layer: dict[str, Any], loss: Any = None):
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
        ],
        "loss": loss or {"type": "spike_time", "time_constant_ms": 2.0},
        "training": {"epochs": 1, "optimizer": {"type": "adam", "learning_rate": 0.01}},
    }  # fmt: skip
    return build_graph(Document.model_validate_json(json.dumps(document)))


def measured(graph: Any, monkeypatch: pytest.MonkeyPatch) -> int:
    """Bytes that grow with steps and batch in the engine's pool after some steps of training."""
    pool = buffers.BufferPool()
    modules = "buffers", "engine", "dense", "product", "adjoints", "spike_time", "weights", "arrays"
    for module in modules:
        monkeypatch.setattr(f"netdesc.kernels.cpu.{module}.take", pool.take)
    # What is used for a moment only is not counted.
    monkeypatch.setattr("netdesc.kernels.cpu.adjoints._RUN", 100)
    for module in ("adjoints", "spike_time"):
        monkeypatch.setattr(f"netdesc.kernels.cpu.{module}.threads", lambda: 1)
    torch.manual_seed(0)
    network, loss = build(graph, seed=0), build_loss(graph)
    input_TBN = (torch.rand(STEPS, BATCH, 60) < 0.03).float()
    target = (torch.rand(STEPS, BATCH, *graph.output_shape) < 0.03).float()
    if isinstance(graph.loss, SpikeRate):
        target = torch.arange(BATCH)
    for _ in range(2):
        loss(network(input_TBN), target).backward()
    assert {report.path for report in network.engine_report()} == {"events"}
    left_out = {4 * STEPS * LANES}
    for layer in graph.layers:
        outputs, inputs = layer.output_shape[0], layer.input_shape[0]
        left_out |= {4 * LANES * inputs * vectors for vectors in (1, math.ceil(outputs / LANES))}
    return sum(size * len(held) for size, held in pool._buffers.items() if size not in left_out)


BY_LABEL = {"type": "spike_rate", "true_rate": 0.5, "false_rate": 0.1}


@pytest.mark.parametrize("units", [[90, 50], [70, 110, 30], [90, 90]])
@pytest.mark.parametrize("loss", [None, BY_LABEL])
def test_event_layers_take_what_is_counted(
    units: list[int], loss: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = graph_of(units, {}, {}, loss)
    counted = sum(layer_memory(each, STEPS, BATCH, 2).activity for each in graph.layers)
    assert counted == pytest.approx(measured(graph, monkeypatch), rel=0.06)


@pytest.mark.parametrize(
    ("neuron", "layer", "words"),
    [
        ({}, {}, 2 * 10),
        ({}, {"quantization": None}, 3 * 10),
        ({"dropout": 0.2}, {}, 4 * 10),
        ({"norm": "mean"}, {}, 6 * 10),
        ({"norm": "mean", "dropout": 0.2}, {"quantization": None}, 7 * 10),
    ],
)
def test_activity_is_counted_by_neuron_and_input(
    neuron: dict[str, Any], layer: dict[str, Any], words: int
) -> None:
    (only,) = graph_of([10], neuron, layer).layers
    assert layer_memory(only, STEPS, BATCH, 2).activity == 4 * words * STEPS * BATCH


def test_parameters_are_kept_with_their_gradients_states_and_best_values() -> None:
    (only,) = graph_of([10], {"learn": ["voltage_decay"]}, {"weight_norm": True}).layers
    memory = layer_memory(only, STEPS, BATCH, 2)
    assert memory.weights == 4 * (600 + 10 + 1)
    assert memory.training == 4 * memory.weights
    assert memory.device_bits == 8 * 600
    assert layer_memory(only, STEPS, BATCH, 0).training == 2 * memory.weights


def test_weights_off_the_grid_have_no_device_bits() -> None:
    (only,) = graph_of([10], {}, {"quantization": None}).layers
    assert layer_memory(only, STEPS, BATCH, 2).device_bits is None


def test_the_batch_counts_targets_only_where_there_are_some() -> None:
    assert batch_memory(graph_of([10], {}, {}), 3) == 4 * 70 * STEPS * 3
    rates = {"type": "spike_rate", "true_rate": 0.2, "false_rate": 0.03}
    assert batch_memory(graph_of([10], {}, {}, rates), 3) == 4 * 60 * STEPS * 3
