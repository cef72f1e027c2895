"""How much memory a network takes: its weights, their copies in training, and its activity.

Counted is what grows with the network, in bytes of the CPU engine's own tensors:

- a number that is trained: 4 (float32). Training keeps 4 for its gradient, 4 for the best value so
  far, and 4 for each of the optimizer's states (Adam has two).
- a neuron in a step of a sample: 4 for its voltage (int32, from which the backward pass takes the
  surrogate gradient), and 4 for its spikes (float32) going forward, which then serve for the
  gradient by its spikes going backward.
- Layers without quantization, and with dropout or a norm, compute with whole tensors of the current
  in place of event lists: 4 for the current, 4 more for the dropped one, 12 more for the leaky one,
  its mean taken off, and that one's gradient.
- Where each layer reads the one before and the loss compares spike trains, layers take somewhat
  less: their spikes a bit each, the last layer 4 in all.
- the batch itself: 4 for each cell of the input and, where there is one, of the target.

Not counted are Python, torch and compiled kernels (some 500 MB together), samples that wait for
their turn, event lists (4 a spike of a layer's input), and what is used for a moment only. Freed
buffers are kept and used again, so a process stays at its peak.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from netdesc.graph.nodes import Cuba, Dense, Graph, Layer, SpikeTime

WORD = 4
"""Bytes of a float32 or an int32."""


@dataclass(frozen=True, slots=True)
class LayerMemory:
    """Bytes of a layer; ``device_bits`` are bits, None where the weights are not on the grid."""

    weights: int
    device_bits: int | None
    training: int
    """What training keeps beside the weights."""
    activity: int
    """For one batch, forward and backward."""


def layer_memory(layer: Layer, steps: int, batch: int, states: int) -> LayerMemory:
    """The memory of ``layer``: ``batch`` samples of ``steps`` steps, ``states`` of the optimizer.

    A flatten layer is another view of its input.
    """
    if not isinstance(layer, Dense):
        return LayerMemory(0, None, 0, 0)
    weights = WORD * layer.parameters
    words = _words_a_step(layer)
    return LayerMemory(
        weights=weights,
        device_bits=None if layer.bits is None else layer.bits * layer.synapses,
        training=(2 + states) * weights,
        activity=WORD * words * steps * batch,
    )


def batch_memory(graph: Graph, batch: int) -> int:
    """Bytes of ``batch`` samples as the network reads them, with their targets."""
    cells = math.prod(graph.input_shape)
    if isinstance(graph.loss, SpikeTime):
        cells += math.prod(graph.output_shape)
    return WORD * cells * graph.steps * batch


def _words_a_step(layer: Dense) -> int:
    whole = _whole_tensors(layer.neuron)
    by_events = layer.bits is not None and not whole
    return (2 if by_events else 3 + whole) * math.prod(layer.output_shape)


def _whole_tensors(neuron: Cuba) -> int:
    """Tensors of the current that dropout and norm need beside the current itself."""
    return (1 if neuron.dropout else 0) + (3 if neuron.norm else 0)
