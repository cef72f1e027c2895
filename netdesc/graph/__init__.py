"""What a document means: nodes with inferred shapes and resolved parameters."""

from netdesc.graph.build import build_graph
from netdesc.graph.nodes import (
    INPUT,
    Classifier,
    Dense,
    Flatten,
    Graph,
    Layer,
    Loss,
    SpikeMax,
    SpikeRate,
    SpikeTime,
    TauGrad,
    decay_range,
)
from netdesc.graph.summary import Row, summary

__all__ = [
    "INPUT",
    "Classifier",
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
    "decay_range",
    "summary",
]
