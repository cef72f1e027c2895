"""Estimates the memory of a network: weights, their copies in training, and activity.

The estimate is the sum of

- per trained number: 4 bytes (float32), and in training 4 more for its gradient, 4 for its best
  value so far, and 4 for each of the optimizer's states (Adam has two);
- per neuron, time step and sample: 12 bytes for the states that the forward pass keeps, the spikes,
  and their gradients;
- per value of a batch's inputs and target spikes: 4 bytes.

It leaves out Python, torch and compiled kernels (about 500 MB together), samples that are not in
the batch, sums of layers, and temporary buffers. Freed buffers are kept for reuse, so the memory of
a process stays at its maximum.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from netdesc.graph.nodes import Graph, Layer

FLOAT_BYTES = 4

NUMBERS_PER_NEURON = 3
"""How many float32 values a training step keeps for each neuron, time step and sample."""


@dataclass(frozen=True, slots=True)
class LayerMemory:
    """The memory of a layer. All numbers are in bytes, except ``device_bits``."""

    weights: int
    device_bits: int | None
    """Bits of all weights on the device; None if the weights are not quantised."""
    training: int
    """Gradients, best values so far and optimizer states of the trained numbers."""
    activity: int
    """States, spikes and their gradients for one batch."""


def layer_memory(graph: Graph, layer: Layer, batch: int, states: int) -> LayerMemory:
    """Estimates the memory of ``layer`` in training with batches of ``batch`` samples.

    ``states`` is the number of the optimizer's states per trained number (2 for Adam).
    """
    weights = FLOAT_BYTES * layer.parameters
    return LayerMemory(
        weights=weights,
        device_bits=None if layer.bits is None else layer.bits * layer.synapses,
        training=(2 + states) * weights,
        activity=NUMBERS_PER_NEURON * FLOAT_BYTES * layer.neurons * graph.steps * batch,
    )


def batch_memory(graph: Graph, batch: int) -> int:
    """Returns the number of bytes of a batch of dense float32 inputs and target spikes.

    ``batch`` is the number of samples. A network that learns from labels has no target spikes.
    """
    cells = math.prod(graph.input_shape)
    if graph.classifier is None:  # the network learns from target spikes
        cells += math.prod(graph.output_shape)
    return FLOAT_BYTES * cells * graph.steps * batch
