"""The graph of a document: nodes with inferred shapes and resolved parameters."""

from netdesc.description.models import layers as layers
from netdesc.description.models import loss as loss
from netdesc.description.shapes import INPUT as INPUT
from netdesc.graph.build import build_graph as build_graph
from netdesc.graph.build import summary as summary
from netdesc.graph.nodes import Classifier as Classifier
from netdesc.graph.nodes import Graph as Graph
from netdesc.graph.nodes import LayerNode as LayerNode
from netdesc.graph.nodes import SynapticNode as SynapticNode
