"""Collects nodes, edges, warnings and metadata of a NIR file, layer by layer."""

import json
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from netdesc.exchange.nir.nir_record import METADATA, FieldValue, NirGraph, NirNode
from netdesc.exchange.nir.peers import Adaptation
from netdesc.graph import INPUT, Graph, LayerNode
from netdesc.hardware import Weights


class _End(NamedTuple):
    """Where values of a layer leave, and how many steps earlier than in the trained network."""

    node: str
    early: int


@dataclass
class Export:
    """The nodes, edges, warnings and metadata of the layers so far."""

    graph: Graph
    weights: Weights
    adaptation: Adaptation
    is_forced: bool = False
    nodes: dict[str, NirNode] = field(default_factory=dict[str, NirNode])
    edges: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    warnings: list[str] = field(default_factory=list[str])
    layers: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    ends: dict[str, _End] = field(default_factory=dict[str, _End])

    def __post_init__(self) -> None:
        self.nodes["input"] = NirNode("Input", {"shape": np.array(self.graph.input_shape)})
        self.ends[INPUT] = _End("input", 0)

    def warn(self, layer: LayerNode, text: str) -> None:
        self.warnings.append(f'layer "{layer.name}" {text}')

    def begin(self, layer: LayerNode) -> int:
        """Notes a layer, and returns by how many steps what arrives at it is early."""
        record: dict[str, Any] = {"name": layer.name, "type": layer.section.type_name()}
        self.layers.append(record | {"nodes": [], "from": [*layer.inputs]})
        return min(self.ends[name].early for name in layer.inputs)

    def note(self, **metadata: Any) -> None:
        self.layers[-1] |= metadata

    def add(self, layer: LayerNode, suffix: str, kind: str, **fields: FieldValue) -> None:
        """Adds a node behind the last one of the layer, or behind the layers that it reads."""
        name, nodes = layer.name + suffix, self.layers[-1]["nodes"]
        self.nodes[name] = NirNode(kind, fields)
        ends = [_End(nodes[-1], 0)] if nodes else [self.ends[name] for name in layer.inputs]
        nodes.append(name)
        for number, end in enumerate(ends):
            source, steps = end.node, end.early - min(other.early for other in ends)
            if steps:
                source = f"{layer.name}_align{number}"
                delay = np.full(layer.input_shape, steps * self.dt)
                self.nodes[source] = NirNode("Delay", {"delay": delay})
                self.edges.append((end.node, source))
                text = f"reads paths of different lengths: a Delay of {steps} aligns them"
                self.warn(layer, text)
            self.edges.append((source, name))

    def end(self, layer: LayerNode, early: int) -> None:
        self.ends[layer.name] = _End(self.layers[-1]["nodes"][-1], early)

    @property
    def dt(self) -> float:
        return self.adaptation.dt

    def finish(self) -> tuple[NirGraph, list[str], int]:
        graph, last = self.graph, self.ends[self.graph.layers[-1].name]
        shape = np.array(graph.layers[-1].output_shape)
        self.nodes["output"] = NirNode("Output", {"shape": shape})
        self.edges.append((last.node, "output"))
        time = {"steps": graph.steps, "step_ms": graph.step_ms, "dt": self.dt}
        record = {"format": 1, "name": graph.name, **time, "layers": self.layers}
        metadata: dict[str, str | float] = {METADATA: json.dumps(record), "dt": self.dt}
        return NirGraph(self.nodes, self.edges, metadata), self.warnings, last.early
