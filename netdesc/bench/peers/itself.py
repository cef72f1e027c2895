"""Measures netdesc: a network of one dense layer, built from a document."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from netdesc import __version__
from netdesc.bench.peers import torch_side
from netdesc.bench.peers.measure import TimedLayer
from netdesc.bench.peers.work import Work
from netdesc.description import Document
from netdesc.graph import build_graph
from netdesc.kernels.cpu.runtime.memory_pool import trim
from netdesc.modules import build
from netdesc.training.cuda_graph import CudaGraphs, Graphs, ReplayedWork

VERSION = __version__


def layer(work: Work) -> TimedLayer:
    """Builds the layer of ``work``. On a GPU, a step is a captured CUDA graph, as in training."""
    document = Document.model_validate_json(json.dumps(_document(work)))
    model = build(build_graph(document)).to(torch_side.device_of(work))
    weight = torch_side.tensor(work.numbers["weight_OI"], work)
    model.load_state_dict({"layers.layer.synapse.weight": weight}, strict=False)
    (parameter,) = model.parameters()
    timed = torch_side.layer(
        "dense layer of cuba neurons (8-bit weights, one step of delay)",
        work,
        model,
        parameter,
        release=trim,
        path=lambda: model.engine_report()[0].path,
    )
    return capture(timed, CudaGraphs(parameter.device)) if parameter.is_cuda else timed


def capture(timed: TimedLayer, graphs: Graphs) -> TimedLayer:
    """Returns the layer with a step that is captured as a CUDA graph after one normal step.

    If the step can be captured, the text of ``path`` ends with ``captured``; otherwise all steps
    run normally.
    """
    step = ReplayedWork(timed.step, graphs, warm_up=1)
    return replace(
        timed,
        step=step,
        release=trim,
        path=lambda: f"{timed.path()}, captured" if step.is_captured else timed.path(),
    )


def _document(work: Work) -> dict[str, Any]:
    steps, _, inputs = work.spikes["input"].shape
    unread_file = {"path": "none.bs1"}
    return {
        "format": 1,
        "name": "layer",
        "time": {"steps": steps, "step_ms": 1.0},
        "data": {"type": "spike_files", "train": [{"input": unread_file, "target": unread_file}]},
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
