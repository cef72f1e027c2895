"""Estimates the memory of a network: weights, their copies in training, and activity.

The estimate is the sum of

- per trained number: 4 bytes (float32), and in training 4 more for its gradient, 4 for its best
  value so far, and 4 for each of the optimizer's states (Adam has two);
- per neuron, time step and sample: 4 bytes for each value that the neuron's program stores, and 8
  for the output (``SynapticNode.numbers_per_neuron``), and for each state that a loss reads, and
  their gradients;
- per value of a batch's inputs and target spikes: 4 bytes.

It leaves out Python, torch and compiled kernels (about 500 MB together), samples that are not in
the batch, sums of layers, and temporary buffers. Freed buffers are kept for reuse, so the memory of
a process stays at its maximum.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from netdesc.description.models import Training
from netdesc.description.models.loss import OUTPUT
from netdesc.description.shapes import INPUT
from netdesc.graph.nodes import Graph, LayerNode, SynapticNode

FLOAT_BYTES = 4


def find_shortage(
    subject: str, needs: Mapping[str, int], available: int, batch: int
) -> tuple[str, str] | None:
    """Returns why ``subject`` does not fit into the memory, and a way out; None if it fits.

    ``needs`` maps what takes memory to its bytes, ``available`` is their limit. ``batch`` is the
    number of samples in a batch.
    """
    needed, largest = sum(needs.values()), max(needs, key=lambda name: needs[name])
    if needed <= available:
        return None
    smaller = "a smaller training.batch_size, " if batch > 1 else ""
    return (
        f"{subject} needs about {format_bytes(needed)} of memory, and {format_bytes(available)} "
        f"can be used; the largest part is {largest} with {format_bytes(needs[largest])}, for "
        f"batches of {batch:,}",
        f"choose {smaller}fewer time.steps, samples or units",
    )


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

    @property
    def in_training(self) -> int:
        """All bytes that training needs for this layer."""
        return self.weights + self.training + self.activity


class MemoryEstimate(NamedTuple):
    """The memory of training in batches of ``batch`` samples, by the input's and layers' names."""

    batch: int
    layers: dict[str, LayerMemory]

    @property
    def in_training(self) -> int:
        """All bytes that training needs."""
        return sum(layer.in_training for layer in self.layers.values())

    @property
    def needs(self) -> dict[str, int]:
        """What takes memory in training, in words, and its bytes."""
        return {
            "inputs and targets" if name == INPUT else f'layer "{name}"': memory.in_training
            for name, memory in self.layers.items()
        }


def estimate_memory(
    graph: Graph, training: Training, samples: int | None, processes: int = 1
) -> MemoryEstimate:
    """Estimates the memory of training ``graph`` on ``samples`` samples (None: not known).

    If neither the number of samples nor the batch size is known, the batch is one sample. The
    memory is that of one of ``processes``, which has the inputs of its own shards, activity of one
    shard, and gradients of its own shards, of their sum and of a part of it.
    """
    batch = min(training.batch_size or samples or 1, samples or training.batch_size or 1)
    own, shard = training.shards // processes, -(-batch // training.shards)
    states = training.optimizer.states + (own + 2 if training.shards > 1 else 0)
    inputs = batch_memory(graph, min(batch, own * shard))
    layers = {INPUT: LayerMemory(0, None, 0, inputs)}
    layers |= {layer.name: layer_memory(graph, layer, shard, states) for layer in graph.layers}
    return MemoryEstimate(batch, layers)


def layer_memory(graph: Graph, layer: LayerNode, batch: int, states: int) -> LayerMemory:
    """Estimates the memory of ``layer`` in training with batches of ``batch`` samples.

    ``states`` is the number of the optimizer's states per trained number (2 for Adam).
    """
    if not isinstance(layer, SynapticNode):
        return LayerMemory(0, None, 0, 0)
    states_read = sum(name == layer.name and read != OUTPUT for name, read in graph.signals)
    numbers = layer.numbers_per_neuron + 2 * states_read
    return LayerMemory(
        weights=FLOAT_BYTES * (layer.parameters + layer.fixed_weights),
        device_bits=None if layer.bits is None else layer.bits * layer.weights,
        training=(2 + states) * FLOAT_BYTES * layer.parameters,
        activity=numbers * FLOAT_BYTES * layer.neurons * layer.steps * batch,
    )


def batch_memory(graph: Graph, batch: int) -> int:
    """Returns the number of bytes of a batch of dense float32 inputs and targets.

    ``batch`` is the number of samples. A network that learns from labels has no targets.
    """
    cells = math.prod(graph.input_shape) * graph.steps
    if graph.classifier is None:  # the network learns from targets
        cells += math.prod(graph.output_shape) * graph.output_steps
    return FLOAT_BYTES * cells * batch


def format_bytes(count: float) -> str:
    """Formats a number of bytes in a suitable unit with three digits; empty for 0."""
    if not count:
        return ""
    unit = min(int(math.log10(count) / 3), len(_UNITS) - 1) if count >= 1 else 0
    return f"{count / 1000**unit:.3g} {_UNITS[unit]}"


_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
