"""How much memory a network takes: its weights, their copies in training, and its activity.

Counted is what grows with the network, in bytes, and roughly:

- a number that is trained: 4 (float32). Training keeps 4 for its gradient, 4 for the best value so
  far, and 4 for each of the optimizer's states (Adam has two).
- a neuron in a step of a sample: 12, three numbers for what the forward pass keeps of its states,
  its spikes, and the gradients by them.
- the batch itself: 4 for each cell of the input and, where there is one, of the target.

Not counted are Python, torch and compiled kernels (some 500 MB together), samples that wait for
their turn, sums of layers, and what is used for a moment only. Freed buffers are kept and used
again, so a process stays at its peak.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from netdesc.graph.nodes import Flatten, Graph, Layer, SpikeTime

WORD = 4
"""Bytes of a float32 or an int32."""

NUMBERS_A_NEURON = 3
"""Numbers that a training step keeps for a neuron in a step of a sample."""


@dataclass(frozen=True, slots=True)
class LayerMemory:
    """Bytes of a layer; ``device_bits`` are bits, None where the weights are not on the grid."""

    weights: int
    device_bits: int | None
    training: int
    """What training keeps beside the weights."""
    activity: int
    """For one batch, forward and backward."""


def layer_memory(graph: Graph, layer: Layer, batch: int, states: int) -> LayerMemory:
    """The memory of ``graph``'s ``layer``: ``batch`` samples, ``states`` of the optimizer.

    A flatten layer is another view of its input.
    """
    if isinstance(layer, Flatten):
        return LayerMemory(0, None, 0, 0)
    weights = WORD * layer.parameters
    values = math.prod(layer.output_shape) * graph.steps * batch
    return LayerMemory(
        weights=weights,
        device_bits=None if layer.bits is None else layer.bits * layer.synapses,
        training=(2 + states) * weights,
        activity=NUMBERS_A_NEURON * WORD * values,
    )


def batch_memory(graph: Graph, batch: int) -> int:
    """Bytes of ``batch`` samples with their targets, both as floats."""
    cells = math.prod(graph.input_shape)
    if isinstance(graph.loss, SpikeTime):
        cells += math.prod(graph.output_shape)
    return WORD * cells * graph.steps * batch
