"""Torch modules: synapses, neurons, blocks (the modules of layers), and networks."""

from netdesc.modules.network import LayerReport, Network, build
from netdesc.modules.recording import LayerRecording

__all__ = ["LayerRecording", "LayerReport", "Network", "build"]
