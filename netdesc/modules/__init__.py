"""Torch modules: synapses, neurons, blocks (the modules of layers), and networks."""

from netdesc.modules.network import LayerReport, Network, build

__all__ = ["LayerReport", "Network", "build"]
