"""How much memory a network takes: its weights, their copies in training, and its activity.

Counted is what grows with the network, in bytes of the CPU engine's own tensors:

- a number that is trained: 4 (float32). Training keeps 4 for its gradient, 4 for the best value so
  far, and 4 for each of the optimizer's states (Adam has two).
- a neuron in a step of a sample: 4 for its voltage (int32, from which the backward pass takes the
  surrogate gradient and whose memory the gradient of its current then takes). Spikes between layers
  are a bit each. Of the last layer it is the gradient alone, or 6 where a loss by labels looks
  through a window: the gradient of the spikes is there for half of the samples at a time, too. (It
  is there for all, 8, with targets that are no spikes, and by a loss of spike trains whose filter
  forgets too slowly for 32 bits.)
- a cell of a sum that is the output: 4 at most for the gradient by it, or where a single layer is
  part of the sum 2, which is there for some of the samples at a time.
- Layers that the output does not depend on keep nothing.
- the batch itself: 4 for each cell of the input and, where there is one, of the target. (Training
  takes but a bit for a cell where they are spikes; a loop of one's own and a GPU take floats.)

Not counted are Python, torch and compiled kernels (some 500 MB together), samples that wait for
their turn, events of a layer's input (2 a spike, but none beside its bits where they would take
more than a quarter of the activity), sums that an input which is no spikes is part of (4 a cell),
the gradient of a sum between layers that several are part of and several read (4 a cell, of one
sum at a time), and what is used for a moment only. Freed buffers are kept and used again, so a
process stays at its peak.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from netdesc.graph.nodes import INPUT, Dense, Flatten, Graph, Layer, SpikeTime
from netdesc.graph.one_go import needed_for_output, wiring_in_one_go

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


def layer_memory(graph: Graph, layer: Layer, batch: int, states: int) -> LayerMemory:
    """The memory of ``graph``'s ``layer``: ``batch`` samples, ``states`` of the optimizer.

    A flatten layer is another view of its input, unless it is the output and a sum.
    """
    values = graph.steps * batch
    if not isinstance(layer, Dense):
        bytes_a_step = _bytes_a_cell(graph, layer) * math.prod(layer.output_shape)
        return LayerMemory(0, None, 0, bytes_a_step * values)
    weights = WORD * layer.parameters
    bytes_a_step = _bytes_a_neuron(graph, layer) * math.prod(layer.output_shape)
    return LayerMemory(
        weights=weights,
        device_bits=None if layer.bits is None else layer.bits * layer.synapses,
        training=(2 + states) * weights,
        activity=bytes_a_step * values,
    )


def batch_memory(graph: Graph, batch: int) -> int:
    """Bytes of ``batch`` samples with their targets, both as floats."""
    cells = math.prod(graph.input_shape)
    if isinstance(graph.loss, SpikeTime):
        cells += math.prod(graph.output_shape)
    return WORD * cells * graph.steps * batch


def _bytes_a_cell(graph: Graph, flatten: Flatten) -> int:
    """In a step of a sample."""
    if flatten is not _output(graph):
        return 0
    is_parted = len(_layers_in(graph, flatten)) == 1 and wiring_in_one_go(graph)
    return WORD // 2 if is_parted else WORD


def _layers_in(graph: Graph, flatten: Flatten) -> frozenset[str]:
    """The dense layers that are added up, those of a sum among them one by one."""
    found: dict[str, frozenset[str]] = {INPUT: frozenset()}
    for layer in graph.layers:
        of_layer = [{layer.name}] if isinstance(layer, Dense) else [found[n] for n in layer.inputs]
        found[layer.name] = frozenset[str]().union(*of_layer)
    return found[flatten.name]


def _bytes_a_neuron(graph: Graph, layer: Dense) -> int:
    """In a step of a sample."""
    output = _output(graph)
    if layer.name not in needed_for_output(graph):
        return 0
    moves = not isinstance(graph.loss, SpikeTime) and graph.loss.window_steps
    return WORD + WORD // 2 if layer is output and moves else WORD


def _output(graph: Graph) -> Layer:
    """The last layer that is more than another name for one before."""
    named = {layer.name: layer for layer in graph.layers}
    output = graph.layers[-1]
    while isinstance(output, Flatten) and len(output.inputs) == 1 and output.inputs[0] in named:
        output = named[output.inputs[0]]
    return output
