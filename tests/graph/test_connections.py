"""Connections are those that torch's convolutions compute with, value for value."""

import json
from typing import Any

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.exchange_samples import dense, document
from support.kernel_layers import TRANSPOSED, Case, geometry, kernel_layers

from netdesc.description import Document
from netdesc.graph import Graph, build_graph
from netdesc.graph.connections import events_into, fan_in, fan_out


def graph_of(shape: Any, *layers: dict[str, Any]) -> Graph:
    content = document(list(shape), list(layers), loss={"type": "spike_rate"})
    return build_graph(Document.model_validate_json(json.dumps(content)))


@given(kernel_layers(), st.integers(0, 99))
def test_connections_of_kernels_are_those_of_torch(case: Case, seed: int) -> None:
    section, shape = case
    (layer,) = graph_of(shape, {"name": "a", "neuron": None, **section}).neuron_layers
    rng, fixed = np.random.default_rng(seed), "channels" not in section
    weight = rng.integers(0, 2, layer.weight_shape)
    groups = shape[0] if fixed else section.get("groups", 1)
    sizes = geometry(section)
    full = np.broadcast_to(weight, (shape[0], 1, *sizes["kernel"])) if fixed else weight
    kernel = torch.tensor(full.copy(), dtype=torch.float64)
    more: dict[str, Any] = {name: sizes[name] for name in ("stride", "padding", "dilation")}
    if TRANSPOSED[section["type"]]:
        more["output_padding"] = sizes["output_padding"]
        kernel = kernel.unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1)
    convolve = (
        torch.nn.functional.conv_transpose2d
        if TRANSPOSED[section["type"]]
        else torch.nn.functional.conv2d
    )
    image = torch.ones(1, *shape, dtype=torch.float64, requires_grad=True)
    (counts,) = torch.autograd.grad(convolve(image, kernel, groups=groups, **more).sum(), image)
    assert fan_out(layer, weight).tolist() == counts.flatten().tolist()
    whole = convolve(image, torch.ones_like(kernel), groups=groups, **more)
    assert fan_in(layer) == int(whole.max())
    assert fan_out(layer).sum() == int(whole.sum()) == layer.synapses


def test_events_reach_what_reads_them() -> None:
    neuron = {"threshold": 0.5, "voltage_decay": 0.5}
    graph = graph_of(
        [1, 2, 2],
        {"name": "conv", "type": "conv", "channels": 1, "kernel": 1, "neuron": None},
        {"name": "both", "type": "concat", "from": ["conv", "input"], "axis": 2},
        {"name": "flat", "type": "flatten"},
        dense("after", 3, neuron=neuron),
        {"name": "pool", "type": "max_pool", "kernel": 2, "from": "conv"},
        {"name": "flat_pool", "type": "flatten"},
        dense("behind", 3, neuron=neuron),
        dense("sums", 2, neuron=neuron, **{"from": ["after", "behind"]}),
    )
    events = {"input": np.arange(4.0), "conv": np.array([0, 1, 0, 0.5])}
    events |= {"after": np.ones(3), "behind": np.full(3, 0.5)}
    reached = events_into(graph, events)
    assert sorted(reached) == ["after", "conv", "sums"]
    assert reached["after"].tolist() == [0, 1, 0, 1, 0, 0.5, 2, 3]
    assert reached["sums"].tolist() == [1.5] * 3
    assert fan_in(graph.neuron_layers[-1]) == 3
