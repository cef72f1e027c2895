"""Torch modules: synapses, neurons, blocks, and the network that a graph describes."""

from netdesc.modules.network import LayerReport, Network, build

__all__ = ["LayerReport", "Network", "build"]
