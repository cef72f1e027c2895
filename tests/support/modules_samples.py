"""Small networks for the tests of modules and losses, from documents."""

import json
from typing import Any

import torch
from support.exchange_samples import document as any_document

from netdesc.description import Document
from netdesc.graph import Graph, build_graph
from netdesc.modules import Network, build


def neuron(**more: Any) -> dict[str, Any]:
    plain = {"type": "cuba", "threshold": 0.5, "current_decay": 0.3, "voltage_decay": 0.1}
    return plain | more


def dense(name: str, units: int, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": "dense", "units": units, "neuron": neuron(), **more}


def document(
    *layers: dict[str, Any], shape: tuple[int, ...] = (10,), step_ms: float = 1.0, **loss: Any
) -> dict[str, Any]:
    time = {"steps": 40, "step_ms": step_ms}
    loss = {"type": "spike_time", "time_constant_ms": 2.0} | loss
    return any_document(list(shape), list(layers), time=time, loss=loss)


def graph(*layers: dict[str, Any], shape: tuple[int, ...] = (10,), **loss: Any) -> Graph:
    content = document(*layers, shape=shape, **loss)
    return build_graph(Document.model_validate_json(json.dumps(content)))


def network(*layers: dict[str, Any], shape: tuple[int, ...] = (10,), seed: int = 0) -> Network:
    return build(graph(*layers, shape=shape), seed=seed)


def spikes(*shape: int, density: float = 0.08, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(shape, generator=generator) < density).float()
