"""The graph of a document: nodes with inferred shapes and resolved parameters."""

from netdesc.description.models import MeanSquaredError, SpikeTime, layers, loss
from netdesc.description.shapes import INPUT
from netdesc.graph.build import build_graph
from netdesc.graph.nodes import Classifier, Graph, LayerNode, Loss, SynapticNode, value_range
from netdesc.graph.summary import SummaryRow, summary

__all__ = [
    "INPUT",
    "Classifier",
    "Graph",
    "LayerNode",
    "Loss",
    "MeanSquaredError",
    "SpikeTime",
    "SummaryRow",
    "SynapticNode",
    "build_graph",
    "layers",
    "loss",
    "summary",
    "value_range",
]
