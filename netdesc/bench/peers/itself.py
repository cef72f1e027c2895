"""Measures netdesc: a network of one layer, built from a document, or its neurons alone."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import torch

from netdesc import __version__
from netdesc.bench.peers import torch_side
from netdesc.bench.peers.measure import TimedLayer
from netdesc.bench.peers.work import Work
from netdesc.description import Document
from netdesc.graph import build_graph
from netdesc.kernels.cpu.runtime.memory_pool import trim
from netdesc.modules import Network, build
from netdesc.training.cuda_graph import CudaGraphs, ReplayedWork

VERSION = __version__


def layer(work: Work) -> TimedLayer:
    """Builds the layer of ``work``. On a GPU, a step is a captured CUDA graph, as in training."""
    model = _network(work)
    weights = list(model.parameters())
    ((_, block),) = model.blocks()
    for each in block.synapse.parts:
        each.weight.data.copy_(torch_side.tensor(work.numbers["weight"], work))
    kind = f"{work.settings['kind']} layer of {work.settings['neuron_type']} neurons"
    shape = (*work.spikes["input"].shape[:2], *work.settings["input_shape"])
    timed = torch_side.layer(
        f"{kind} (8-bit weights, one step of delay)",
        work,
        lambda spikes: model(spikes.view(shape)).flatten(2),
        weights,
        release=trim,
        path=lambda: model.engine_report()[0].path,
    )
    if block.neuron.section.equations().spike is None:
        timed = replace(timed, spike_rate=lambda: None)
    device = weights[0].device
    return capture(timed, CudaGraphs(device)) if device.type == "cuda" else timed


def neurons(work: Work) -> TimedLayer:
    """Builds the neurons without synapses. A step is the pass that the settings name."""
    (block,) = (block for _, block in _network(work).blocks())
    weight_OI = torch_side.tensor(work.numbers["weight"], work)
    z_TBN = torch_side.tensor(work.dense("input"), work) @ weight_OI.T
    inputs = [z_TBN.clone().requires_grad_() for _ in block.neuron.section.input_names]
    upstream_TBN = torch_side.tensor(work.upstream(), work)

    def forward() -> torch.Tensor:
        return block.neuron(*inputs)[0]

    out_TBN, leaves = forward(), [*inputs, *block.neuron.parameters()]

    def backward() -> None:
        torch.autograd.grad(out_TBN, leaves, upstream_TBN, retain_graph=True)

    return TimedLayer(
        f"{work.settings['neuron_type']} neurons",
        {"forward": forward, "backward": backward}[work.settings["timed"]],
        lambda: out_TBN.mean().item() if block.neuron.section.equations().spike else None,
        release=trim,
        **torch_side.conditions_of(z_TBN.device),
    )


def _network(work: Work) -> Network:
    document = Document.model_validate_json(json.dumps(_document(work)))
    return build(build_graph(document)).to(torch_side.device_of(work))


def capture(timed: TimedLayer, graphs: CudaGraphs) -> TimedLayer:
    """Returns the layer with a step that is captured as a CUDA graph, if possible.

    Its first step runs normally. ``path`` ends with ``captured`` afterwards.
    """
    step = ReplayedWork(timed.step, graphs, warm_up=1)
    return replace(
        timed,
        step=step,
        release=trim,
        path=lambda: f"{timed.path()}, captured" if step.is_captured else timed.path(),
    )


def _document(work: Work) -> dict[str, Any]:
    steps, weight = len(work.spikes["input"]), work.numbers["weight"]
    sizes: dict[str, Any] = {"units": len(weight)}
    if work.settings["kind"] == "conv":
        sizes = {"channels": len(weight), "kernel": [*weight.shape[2:]]}
    return {
        "format": 1,
        "name": "layer",
        "time": {"steps": steps, "step_ms": 1.0},
        "input": {"shape": work.settings["input_shape"]},
        "layers": [
            {
                "name": "layer",
                "type": work.settings["kind"],
                **sizes,
                "neuron": {"type": work.settings["neuron_type"], **work.settings["neuron"]},
            }
        ],
        "loss": {"type": "spike_time", "time_constant_ms": 2.0},
        "training": {"epochs": 1, "optimizer": {"type": "adam", "learning_rate": 0.001}},
    }
