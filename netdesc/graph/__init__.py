"""What a document means: nodes with inferred shapes and resolved parameters."""

from netdesc.graph.build import build_graph
from netdesc.graph.nodes import (
    INPUT,
    Classifier,
    Cuba,
    Dense,
    Flatten,
    Graph,
    Layer,
    Loss,
    SpikeMax,
    SpikeRate,
    SpikeTime,
    TauGrad,
)
from netdesc.graph.summary import Row, summary

__all__ = [
    "INPUT",
    "Classifier",
    "Cuba",
    "Dense",
    "Flatten",
    "Graph",
    "Layer",
    "Loss",
    "Row",
    "SpikeMax",
    "SpikeRate",
    "SpikeTime",
    "TauGrad",
    "build_graph",
    "summary",
]
