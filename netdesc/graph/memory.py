"""Estimates the memory of a network: weights, their copies in training, and activity.

The estimate covers what grows with the network. It counts

- 4 bytes (float32) a trained number, and in training 4 more for its gradient, 4 for its best value
  so far, and 4 for each of the optimizer's states (Adam has two);
- 12 bytes a neuron, step and sample: the states that the forward pass keeps, the spikes, and their
  gradients;
- 4 bytes for each cell of a batch's inputs and targets.

It leaves out Python, torch and compiled kernels (about 500 MB together), samples that are not in
the batch, sums of layers, and temporary buffers. Freed buffers are kept for reuse, so a process
stays at its peak.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from netdesc.graph.nodes import Graph, Layer

FLOAT_BYTES = 4

NUMBERS_PER_NEURON = 3
"""Numbers that a training step keeps for each neuron, step and sample."""


@dataclass(frozen=True, slots=True)
class LayerMemory:
    """The memory of a layer, in bytes except for ``device_bits``."""

    weights: int
    device_bits: int | None
    """Bits of the weights on the device; None if they are not quantised."""
    training: int
    """Copies of the weights in training: gradients, best values and optimizer states."""
    activity: int
    """States, spikes and their gradients, for one batch."""


def layer_memory(graph: Graph, layer: Layer, batch: int, states: int) -> LayerMemory:
    """The memory of ``layer`` for ``batch`` samples.

    ``states`` is the number of the optimizer's states for each trained number.
    """
    weights = FLOAT_BYTES * layer.parameters
    return LayerMemory(
        weights=weights,
        device_bits=None if layer.bits is None else layer.bits * layer.synapses,
        training=(2 + states) * weights,
        activity=NUMBERS_PER_NEURON * FLOAT_BYTES * layer.neurons * graph.steps * batch,
    )


def batch_memory(graph: Graph, batch: int) -> int:
    """Bytes of ``batch`` samples and their target spikes, in float32."""
    cells = math.prod(graph.input_shape)
    if graph.classifier is None:  # the targets are spikes, not labels
        cells += math.prod(graph.output_shape)
    return FLOAT_BYTES * cells * graph.steps * batch
