"""What a document means: nodes with inferred shapes and resolved parameters."""

from netdesc.graph.build import build_graph
from netdesc.graph.nodes import INPUT, Cuba, Dense, Flatten, Graph, Layer, SpikeTime, TauGrad
from netdesc.graph.summary import Row, summary

__all__ = [
    "INPUT",
    "Cuba",
    "Dense",
    "Flatten",
    "Graph",
    "Layer",
    "Row",
    "SpikeTime",
    "TauGrad",
    "build_graph",
    "summary",
]
