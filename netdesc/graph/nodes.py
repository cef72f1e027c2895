"""The nodes of a compiled network: what a document means, once every default and shape is known.

Plain frozen dataclasses, so that every later stage reads one vocabulary and can change none of it.
Shapes leave out time and batch: a tensor that flows along an edge is ``[steps, batch, *shape]``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

INPUT = "input"
"""The name under which a layer's ``from`` refers to the network's input."""

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TauGrad:
    """Width of the surrogate gradient over the run, relative to 100·threshold (dimensionless).

    ``constant`` holds ``start`` (and ``end`` equals it); ``linear`` and ``geometric`` go from
    ``start`` in the first epoch to ``end`` in the last.
    """

    kind: Literal["constant", "linear", "geometric"]
    start: float
    end: float

    def at(self, fraction: float) -> float:
        """The value when ``fraction`` (0 first epoch, 1 last epoch) of the run is done."""
        if self.kind == "constant":
            return self.start
        if self.kind == "linear":
            return self.start + (self.end - self.start) * fraction
        return self.start * math.pow(self.end / self.start, fraction)


@dataclass(frozen=True, slots=True)
class Cuba:
    """Current-based leaky integrate-and-fire neuron.

    Decays are the share lost per step, in [0, 1]. With ``per_channel`` each neuron holds its own,
    drawn uniformly from the range; otherwise low and high are equal.
    """

    threshold: float
    current_decay: tuple[float, float]
    voltage_decay: tuple[float, float]
    tau_grad: TauGrad
    scale_grad: float
    norm: Literal["mean"] | None
    dropout: float
    per_channel: bool
    learn: tuple[Literal["current_decay", "voltage_decay"], ...]


@dataclass(frozen=True, slots=True)
class Dense:
    """Fully connected synapses into CUBA neurons. ``inputs`` are summed."""

    name: str
    inputs: tuple[str, ...]
    input_shape: Shape
    output_shape: Shape
    neuron: Cuba
    neuron_name: str
    weight_scale: float
    weight_norm: bool
    bits: int | None
    axonal_delay_step: bool

    @property
    def synapses(self) -> int:
        return math.prod(self.input_shape) * math.prod(self.output_shape)

    @property
    def parameters(self) -> int:
        """Numbers that training changes: weights, weight-norm gains and learnt decays."""
        outputs = math.prod(self.output_shape)
        gains = outputs if self.weight_norm else 0
        decays = len(self.neuron.learn) * (outputs if self.neuron.per_channel else 1)
        return self.synapses + gains + decays


@dataclass(frozen=True, slots=True)
class Flatten:
    """Row-major flattening of ``input_shape``; nothing to train, no delay."""

    name: str
    inputs: tuple[str, ...]
    input_shape: Shape
    output_shape: Shape

    @property
    def synapses(self) -> int:
        return 0

    @property
    def parameters(self) -> int:
        return 0


Layer = Dense | Flatten


@dataclass(frozen=True, slots=True)
class SpikeTime:
    """The van Rossum distance between output and target spike trains."""

    time_constant_ms: float
    filter_order: int
    filter_steps: int
    reduction: Literal["sum", "mean"]


@dataclass(frozen=True, slots=True)
class SpikeRate:
    """Squared difference between each neuron's rate and ``true_rate`` or ``false_rate``.

    Rates are spikes a step: over the whole sample, or over the last ``window_steps`` steps.
    """

    true_rate: float
    false_rate: float
    window_steps: int | None
    reduction: Literal["sum", "mean"]


@dataclass(frozen=True, slots=True)
class SpikeMax:
    """Negative log likelihood of the label: its share of the rates, or the rates' softmax."""

    mode: Literal["probability", "softmax"]
    window_steps: int | None
    reduction: Literal["sum", "mean"]


Loss = SpikeTime | SpikeRate | SpikeMax


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
