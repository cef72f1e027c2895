"""The graph of a document: nodes with inferred shapes and resolved parameters."""

from netdesc.description.models import MeanSquaredError, SpikeMax, SpikeRate, SpikeTime
from netdesc.description.shapes import INPUT
from netdesc.graph.build import build_graph
from netdesc.graph.nodes import (
    Classifier,
    DenseNode,
    FlattenNode,
    Graph,
    Layer,
    Loss,
    value_range,
)
from netdesc.graph.summary import SummaryRow, summary

__all__ = [
    "INPUT",
    "Classifier",
    "DenseNode",
    "FlattenNode",
    "Graph",
    "Layer",
    "Loss",
    "MeanSquaredError",
    "SpikeMax",
    "SpikeRate",
    "SpikeTime",
    "SummaryRow",
    "build_graph",
    "summary",
    "value_range",
]
