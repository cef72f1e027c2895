"""netdesc's own side: a network of one dense layer, built from a document as users build theirs."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from netdesc import __version__
from netdesc.bench.peers import torch_side
from netdesc.bench.peers.measure import Layer
from netdesc.bench.peers.work import Work
from netdesc.description import Document
from netdesc.graph import Graph, build_graph
from netdesc.losses import build_loss
from netdesc.modules import Network, build
from netdesc.training.replayed import CudaGraphs, Graphs, Replayed

VERSION = __version__


def layer(work: Work) -> Layer:
    """With ``settings["loss"]`` the memory is that of a step with the spike-time loss.

    On a GPU a step is captured and replayed, as in training.
    """
    graph = build_graph(Document.model_validate_json(json.dumps(_document(work))))
    model = build(graph).to(torch_side.device_of(work))
    weight = torch_side.tensor(work.numbers["weight_OI"], work)
    model.load_state_dict({"layers.layer.synapse.weight": weight}, strict=False)
    (parameter,) = model.parameters()
    made = torch_side.layer(
        "dense layer of cuba neurons (8-bit weights, one step of delay)",
        work,
        model,
        parameter,
        loss_step=_loss_step(work, graph, model) if work.settings["loss"] else None,
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


def _loss_step(work: Work, graph: Graph, model: Network) -> Callable[[], None]:
    """Forward pass, loss and backward pass. The target is silent, and held before, as data are."""
    spikes_TBI = torch_side.tensor(work.dense("input"), work)
    silence_TBN = torch.zeros(*spikes_TBI.shape[:2], *graph.output_shape, device=spikes_TBI.device)
    silence_TBN.fill_(0)  # the system hands out zeros only when they are touched
    loss_of = build_loss(graph)

    def step() -> None:
        model.zero_grad()
        loss_of(model(spikes_TBI), silence_TBN).backward()

    return step
