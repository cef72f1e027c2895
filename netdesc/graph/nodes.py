"""The nodes of a compiled network: what a document means, once every default and shape is known.

A node holds its section of the document and adds what is resolved: which layers it reads, shapes,
and the neuron that a name stands for. Shapes leave out time and batch: a tensor that flows along an
edge is ``[steps, batch, *shape]``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from netdesc.description import models
from netdesc.description.models import SpikeMax, SpikeRate, SpikeTime
from netdesc.description.shapes import INPUT, Shape

__all__ = [
    "INPUT",
    "NEURON_LAYERS",
    "Classifier",
    "Dense",
    "Flatten",
    "Graph",
    "Layer",
    "Loss",
    "Neuron",
    "Shape",
    "SpikeMax",
    "SpikeRate",
    "SpikeTime",
    "TauGrad",
    "decay_range",
]

Loss = SpikeTime | SpikeRate | SpikeMax
Neuron = models.Cuba


def decay_range(decay: float | tuple[float, float]) -> tuple[float, float]:
    """The lowest and the highest share that a neuron loses per step."""
    return decay if isinstance(decay, tuple) else (decay, decay)


@dataclass(frozen=True, slots=True)
class TauGrad:
    """Width of the surrogate gradient over the run, relative to 100·threshold (dimensionless).

    ``constant`` holds ``start`` (and ``end`` equals it); ``linear`` and ``geometric`` go from
    ``start`` in the first epoch to ``end`` in the last.
    """

    kind: Literal["constant", "linear", "geometric"]
    start: float
    end: float

    @staticmethod
    def of(width: float | models.TauGradSchedule) -> TauGrad:
        """The schedule that a neuron's ``tau_grad`` stands for."""
        if isinstance(width, models.TauGradSchedule):
            return TauGrad(width.type, width.start, width.end)
        return TauGrad("constant", width, width)

    def at(self, fraction: float) -> float:
        """The value when ``fraction`` (0 first epoch, 1 last epoch) of the run is done."""
        if self.kind == "constant":
            return self.start
        if self.kind == "linear":
            return self.start + (self.end - self.start) * fraction
        return self.start * math.pow(self.end / self.start, fraction)


@dataclass(frozen=True, slots=True)
class _Node:
    """What all layers have. ``inputs`` are the names of the layers whose outputs are summed."""

    section: models.Layer
    inputs: tuple[str, ...]
    input_shape: Shape
    output_shape: Shape

    @property
    def name(self) -> str:
        return self.section.name

    @property
    def neuron_name(self) -> str:
        """The neuron's name in the document, or else the layer's; empty without neurons."""
        return ""

    @property
    def bits(self) -> int | None:
        """Bits of a weight on the device; None where there are no weights, or real ones."""
        return None

    @property
    def synapses(self) -> int:
        return 0

    @property
    def parameters(self) -> int:
        """Numbers that training changes."""
        return 0


@dataclass(frozen=True, slots=True)
class Flatten(_Node):
    """Row-major flattening of ``input_shape``; nothing to train, no delay."""

    section: models.Flatten


@dataclass(frozen=True, slots=True)
class Dense(_Node):
    """Fully connected synapses into neurons; ``neuron`` is the section that its name stands for."""

    section: models.Dense
    neuron: Neuron

    @property
    def neuron_name(self) -> str:
        neuron = self.section.neuron
        return neuron if isinstance(neuron, str) else self.name

    @property
    def bits(self) -> int | None:
        return self.section.quantization and self.section.quantization.bits

    @property
    def synapses(self) -> int:
        return math.prod(self.input_shape) * math.prod(self.output_shape)

    @property
    def parameters(self) -> int:
        """Weights, weight-norm gains and learnt decays."""
        outputs = math.prod(self.output_shape)
        gains = outputs if self.section.weight_norm else 0
        decays = len(self.neuron.learn) * (outputs if self.neuron.per_channel else 1)
        return self.synapses + gains + decays


Layer = Dense | Flatten

NEURON_LAYERS = (Dense,)
"""Kinds of layers that have synapses and neurons."""


@dataclass(frozen=True, slots=True)
class Classifier:
    """The class whose neuron spikes most: over the whole sample where ``window_steps`` is None,
    or else, in each step, over the last ``window_steps`` steps."""

    window_steps: int | None


@dataclass(frozen=True, slots=True)
class Graph:
    """A network with its shapes resolved. ``layers`` run in order; the last one is the output."""

    name: str
    steps: int
    step_ms: float
    input_shape: Shape
    layers: tuple[Layer, ...]
    loss: Loss
    classifier: Classifier | None
    """None where the loss compares spike trains."""

    @property
    def neuron_layers(self) -> list[Dense]:
        """The layers that have synapses and neurons, in order."""
        return [layer for layer in self.layers if isinstance(layer, NEURON_LAYERS)]

    @property
    def output_shape(self) -> Shape:
        return self.layers[-1].output_shape

    @property
    def classes(self) -> int | None:
        """How many classes there are: one an output neuron. None without a classifier."""
        return None if self.classifier is None else math.prod(self.output_shape)

    @property
    def parameters(self) -> int:
        return sum(layer.parameters for layer in self.layers)

    @property
    def synapses(self) -> int:
        return sum(layer.synapses for layer in self.layers)
