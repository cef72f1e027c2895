"""From a description to a module that computes it."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from netdesc.description import Description
from netdesc.graph import Graph, build_graph
from netdesc.losses import build_loss
from netdesc.modules import Network, build


@dataclass(frozen=True, eq=False)
class Compiled:
    """A network ready to compute, and what it was made from.

    ``model`` maps float32 spikes ``[steps, batch, *input shape]`` to the same of the output shape;
    ``loss(output_TBN, target_TBN)`` is a scalar.
    """

    model: Network
    loss: torch.nn.Module
    graph: Graph


def compile(description: Description) -> Compiled:
    """Builds the module, with weights drawn from ``training.seed``, and the loss."""
    graph = build_graph(description.document)
    model = build(graph, seed=description.document.training.seed)
    return Compiled(model, build_loss(graph), graph)
