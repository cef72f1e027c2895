"""The graph of a document: nodes with inferred shapes and resolved parameters."""

from netdesc.description.models import MeanSquaredError, SpikeTime, layers, loss
from netdesc.description.shapes import INPUT
from netdesc.graph.build import build_graph, summary
from netdesc.graph.nodes import Classifier, Graph, LayerNode, SynapticNode, value_range

__all__ = [
    "INPUT",
    "Classifier",
    "Graph",
    "LayerNode",
    "MeanSquaredError",
    "SpikeTime",
    "SynapticNode",
    "build_graph",
    "layers",
    "loss",
    "summary",
    "value_range",
]
