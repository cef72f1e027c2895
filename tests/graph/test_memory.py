"""Estimates of a network's memory."""

import json
from collections.abc import Mapping
from typing import Any

from support.exchange_samples import dense, document

from netdesc.description import Document
from netdesc.graph import build_graph
from netdesc.graph.memory import batch_memory, layer_memory

STEPS = 400


def graph_of(
    units: list[int],
    neuron: dict[str, Any],
    layer: dict[str, Any],
    loss: Any = None,
    flattened: Mapping[str, str | list[str]] = {},
):
    """A chain of dense layers, then the flatten layers in ``flattened`` (name -> its inputs)."""
    neuron = {"threshold": 0.5, "current_decay": 1.0, "voltage_decay": 0.3} | neuron
    layers = [
        dense(f"l{n}", size, weight_scale=2, neuron=neuron) | layer for n, size in enumerate(units)
    ]
    layers += [{"name": name, "type": "flatten", "from": read} for name, read in flattened.items()]
    more = {"loss": loss} if loss else {}
    content = document([60], layers, time={"steps": STEPS}, data=None, **more)
    return build_graph(Document.model_validate_json(json.dumps(content)))


def test_activity_is_three_numbers_a_neuron_step_and_sample() -> None:
    graph = graph_of([10, 20], {}, {}, flattened={"flat": "l1"})
    activity = [layer_memory(graph, each, 4, 2).activity for each in graph.layers]
    assert activity == [4 * 3 * units * STEPS * 4 for units in (10, 20, 0)]


def test_a_state_that_a_loss_reads_counts_with_its_gradient() -> None:
    losses = [{"type": "cross_entropy"}, {"type": "cross_entropy", "signal": "v", "over": "max"}]
    graph = graph_of([10, 20], {}, {}, losses)
    activity = [layer_memory(graph, each, 4, 2).activity for each in graph.layers]
    assert activity == [4 * 3 * 10 * STEPS * 4, 4 * 5 * 20 * STEPS * 4]


def test_training_memory_has_gradients_states_and_best_values() -> None:
    graph = graph_of([10], {"learn": ["voltage_decay"]}, {"weight_norm": True})
    memory = layer_memory(graph, graph.layers[0], 4, 2)
    assert memory.weights == 4 * (600 + 10 + 1)
    assert memory.training == 4 * memory.weights
    assert memory.device_bits == 8 * 600
    assert layer_memory(graph, graph.layers[0], 4, 0).training == 2 * memory.weights


def test_weights_off_the_grid_have_no_device_bits() -> None:
    graph = graph_of([10], {}, {"quantization": None})
    assert layer_memory(graph, graph.layers[0], 4, 2).device_bits is None


def test_the_batch_counts_target_spikes_but_no_labels() -> None:
    assert batch_memory(graph_of([10], {}, {}), 3) == 4 * 70 * STEPS * 3
    rates = {"type": "spike_rate", "true_rate": 0.2, "false_rate": 0.03}
    assert batch_memory(graph_of([10], {}, {}, rates), 3) == 4 * 60 * STEPS * 3
