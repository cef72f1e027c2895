"""The nodes of a compiled network.

A node holds its section of the document and adds what that leaves open: the layers it reads, its
shapes, and the neuron behind a name. Shapes have no axes for time and batch: the tensor between two
nodes is ``[steps, batch, *shape]``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from netdesc.description import models
from netdesc.description.models import SpikeMax, SpikeRate, SpikeTime
from netdesc.description.shapes import Shape

Loss = SpikeTime | SpikeRate | SpikeMax
Neuron = models.Cuba


def decay_range(decay: float | tuple[float, float]) -> tuple[float, float]:
    """The lowest and the highest decay of a layer: the share of a state lost per step."""
    return decay if isinstance(decay, tuple) else (decay, decay)


@dataclass(frozen=True, slots=True)
class TauGrad:
    """Schedule of the surrogate gradient's width, relative to 100·threshold (dimensionless).

    ``linear`` and ``geometric`` go from ``start`` in the first epoch to ``end`` in the last. For
    ``constant``, the two are equal.
    """

    kind: Literal["constant", "linear", "geometric"]
    start: float
    end: float

    @staticmethod
    def of(width: float | models.TauGradSchedule) -> TauGrad:
        """The schedule for the ``tau_grad`` of a neuron's section."""
        if isinstance(width, models.TauGradSchedule):
            return TauGrad(width.type, width.start, width.end)
        return TauGrad("constant", width, width)

    def at(self, fraction: float) -> float:
        """The width after ``fraction`` of the run: 0 in the first epoch, 1 in the last."""
        if self.kind == "constant":
            return self.start
        if self.kind == "linear":
            return self.start + (self.end - self.start) * fraction
        return self.start * math.pow(self.end / self.start, fraction)


@dataclass(frozen=True, slots=True)
class _LayerNode:
    """The base of all layers. ``inputs`` names the layers whose outputs are summed as its input."""

    section: models.Layer
    inputs: tuple[str, ...]
    input_shape: Shape
    output_shape: Shape

    @property
    def name(self) -> str:
        return self.section.name

    @property
    def neuron_name(self) -> str:
        """The neuron's name in the document (by default, the layer's); empty without neurons."""
        return ""

    @property
    def bits(self) -> int | None:
        """Bits of a weight on the device; None if there are no quantised weights."""
        return None

    @property
    def neurons(self) -> int:
        return 0

    @property
    def synapses(self) -> int:
        return 0

    @property
    def parameters(self) -> int:
        """Numbers that are trained."""
        return 0


@dataclass(frozen=True, slots=True)
class Flatten(_LayerNode):
    """Row-major flattening of ``input_shape``, without parameters and delay."""

    section: models.Flatten


@dataclass(frozen=True, slots=True)
class Dense(_LayerNode):
    """Fully connected synapses into neurons. ``neuron`` is the resolved section of the neuron."""

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
    def neurons(self) -> int:
        return math.prod(self.output_shape)

    @property
    def synapses(self) -> int:
        return math.prod(self.input_shape) * self.neurons

    @property
    def parameters(self) -> int:
        """Weights, weight-norm gains and learnt decays."""
        gains = self.neurons if self.section.weight_norm else 0
        decays = len(self.neuron.learn) * (self.neurons if self.neuron.per_channel else 1)
        return self.synapses + gains + decays


Layer = Dense | Flatten

NEURON_LAYERS = (Dense,)
"""Kinds of layers that have synapses and neurons."""


@dataclass(frozen=True, slots=True)
class Classifier:
    """Decides for the class whose neuron spikes most.

    Spikes count over the whole sample if ``window_steps`` is None. Otherwise there is a decision in
    each step, over the last ``window_steps`` steps.
    """

    window_steps: int | None


@dataclass(frozen=True, slots=True)
class Graph:
    """A network with resolved shapes. ``layers`` run in order; the last one is the output."""

    name: str
    steps: int
    step_ms: float
    input_shape: Shape
    layers: tuple[Layer, ...]
    loss: Loss
    classifier: Classifier | None
    """None if the loss compares the output with target spikes."""

    @property
    def neuron_layers(self) -> list[Dense]:
        """The layers that have synapses and neurons, in order."""
        return [layer for layer in self.layers if isinstance(layer, NEURON_LAYERS)]

    @property
    def output_shape(self) -> Shape:
        return self.layers[-1].output_shape

    @property
    def classes(self) -> int | None:
        """The number of classes: one an output neuron. None without a classifier."""
        return None if self.classifier is None else math.prod(self.output_shape)

    @property
    def parameters(self) -> int:
        return sum(layer.parameters for layer in self.layers)

    @property
    def synapses(self) -> int:
        return sum(layer.synapses for layer in self.layers)
