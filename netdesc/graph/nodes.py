"""The nodes of a network's graph.

A node holds the layer's section (its part of the document), the names of its input layers, its
shapes, and the section of its neuron. Shapes have no axes for time and batch: the output of a layer
is a tensor ``[steps, batch, *output_shape]``.
"""

import math
from dataclasses import dataclass
from typing import Any

from netdesc.description.models.layers import LayerSection, Shape, SynapticSection
from netdesc.description.models.loss import OUTPUT, EventRate
from netdesc.description.models.loss import OneLoss as Loss
from netdesc.description.shapes import INPUT
from netdesc.neurons.compile import compile_neuron
from netdesc.neurons.models import NeuronSection

Signal = tuple[str, str]
"""What a loss reads: a layer's name, and ``"output"`` or the name of a state of its neurons."""


@dataclass(frozen=True, slots=True)
class LayerNode:
    """A layer without synapses and neurons, and the base class of the others.

    A layer's input is the sum of the outputs of the layers that ``inputs`` names. The tables of
    other rooms find what belongs to a kind of layer by the class of ``section``.
    """

    section: LayerSection
    inputs: tuple[str, ...]
    input_shape: Shape
    output_shape: Shape
    steps: int
    """The number of steps of the output, for an input of ``Graph.steps``."""
    step_ms: float
    """The length of a step of the output."""

    @property
    def name(self) -> str:
        return self.section.name

    @property
    def neuron_name(self) -> str:
        """The neuron's name in the document, the layer's name if the neuron has none, "none" if the
        neuron is null, or "" for a layer without synapses.
        """
        return ""

    @property
    def delay(self) -> int:
        """The axonal delay of the output, 0 or 1 steps. By default, spikes have it."""
        return 0

    @property
    def synapses(self) -> int:
        """The number of connections from a value of the input to a neuron."""
        return 0

    @property
    def parameters(self) -> int:
        return 0


WEIGHT_NAMES = {1: ("synapse.weight",), 2: ("synapse.real.weight", "synapse.imag.weight")}
"""Number of the neurons' inputs -> names of a layer's weights in the state dict."""


@dataclass(frozen=True, slots=True)
class SynapticNode(LayerNode):
    """Synapses into neurons. ``neuron`` is the section of the neurons.

    The first axis of the output are the channels. Neurons of a channel share the weights, and the
    parameters of neurons that are per channel.
    """

    section: SynapticSection
    neuron: NeuronSection
    module: str = "synapse"
    """The name of the synapses in the layer's state dict."""

    @property
    def neuron_name(self) -> str:
        neuron = self.section.neuron
        if neuron is None:
            return "none"
        return neuron if isinstance(neuron, str) else self.name

    @property
    def bits(self) -> int | None:
        """Bits of a weight on the device; None if the weights are not quantised."""
        return self.section.quantization and self.section.quantization.bits

    @property
    def weight_step(self) -> float:
        """The step of quantised weights in units of the device's, 1/32."""
        return 1.0 if self.section.quantization is None else self.section.quantization.scale

    @property
    def neuron_values(self) -> dict[str, Any]:
        """The parameters that the document gives, as ``NeuronSection.values`` says."""
        return {} if self.section.neuron is None else self.neuron.values()

    @property
    def neurons(self) -> int:
        return math.prod(self.output_shape)

    @property
    def channels(self) -> int:
        return self.output_shape[0]

    @property
    def delay(self) -> int:
        return self.section.axonal_steps(self.neuron)

    @property
    def recurrent(self) -> "SynapticNode | None":
        """The trained synapses from the layer's own outputs, as a layer; None if there are none."""
        section, shape = self.section.recurrent_synapses, self.output_shape
        if section is None:
            return None
        inputs, time = (self.name,), (self.steps, self.step_ms)
        return SynapticNode(section, inputs, shape, shape, *time, self.neuron, "recurrent")

    @property
    def weight_shape(self) -> Shape:
        """The shape of the weights for one input of the neurons."""
        return self.section.weight_shape(self.input_shape)

    @property
    def weight_names(self) -> tuple[str, ...]:
        """The names of the weights in the layer's state dict, one for each input of the neurons."""
        names = WEIGHT_NAMES[len(self.neuron.definition().inputs)]
        return tuple(name.replace("synapse", self.module) for name in names)

    @property
    def synapses(self) -> int:
        return len(self.weight_names) * self.section.synapses(self.input_shape)

    @property
    def weights(self) -> int:
        """The number of weights, also from the layer's own outputs; connections may share one."""
        recurrent = 0 if self.recurrent is None else self.recurrent.weights
        return len(self.weight_names) * math.prod(self.weight_shape) + recurrent

    @property
    def gains(self) -> int:
        """The number of gains of a weight norm, one for each row of weights."""
        if not self.section.weight_norm:
            return 0
        recurrent = 0 if self.recurrent is None else self.recurrent.gains
        return len(self.weight_names) * self.weight_shape[0] + recurrent

    @property
    def learnt_shapes(self) -> dict[str, Shape]:
        """Names in the layer's state dict of all that is learnt beside weights -> shapes."""
        shape = (self.channels,) if self.neuron.per_channel else ()
        shapes = {f"neuron.{name}": shape for name in self.neuron.learn}
        has_delays = self.section.delay is not None and self.section.delay.learn
        own = {"neuron.bias": self.section.learns_bias, "neuron.axonal.delay": has_delays}
        return shapes | {name: (self.channels,) for name, is_learnt in own.items() if is_learnt}

    @property
    def parameters(self) -> int:
        """The number of all that is trained: weights with gains, biases, values of neurons."""
        learnt = sum(math.prod(shape) for shape in self.learnt_shapes.values())
        return learnt + (self.weights + self.gains) * self.section.trainable

    @property
    def fixed_weights(self) -> int:
        """The number of weights, with gains, that training does not change."""
        return 0 if self.section.trainable else self.weights + self.gains

    @property
    def numbers_per_neuron(self) -> int:
        """32-bit numbers that a training step keeps for each neuron, step and sample: what the
        neuron's program stores, its output and the gradient of the output.
        """
        learns = bool(self.neuron.learn) or self.section.learns_bias
        return len(compile_neuron(self.neuron.definition(), learns).forward.stored) + 2


@dataclass(frozen=True, slots=True)
class Classifier:
    """Predicts the class whose output neuron spikes most, or has the largest values.

    The first ``skip_steps`` steps do not count. If ``window_steps`` is None, it predicts one class,
    from the mean, sum, maximum or last value (``over``) of the steps that count. Otherwise it
    predicts a class in each step that counts, from the last ``window_steps`` of these. The
    confidence of a prediction is the class's share of the spikes or, with ``is_softmax``, its
    softmax. With ``is_graded``, outputs are values, not only spikes.
    """

    window_steps: int | None
    over: str = "mean"
    skip_steps: int = 0
    is_softmax: bool = False
    is_graded: bool = False

    @property
    def measure(self) -> str:
        """The words for what it compares, of which the class with the largest is predicted."""
        mean = "mean output" if self.is_graded else "spike rate"
        if self.window_steps is not None:
            steps = "step" if self.window_steps == 1 else f"last {self.window_steps:,} steps"
            return f"{mean} of the {steps}"
        others = {"max": "peak output", "last": "output in the last step", "sum": "sum of outputs"}
        return others.get(self.over, mean)


@dataclass(frozen=True, slots=True)
class Graph:
    """A network with inferred shapes. ``layers`` run in order; the last one is the output layer."""

    name: str
    steps: int
    """The number of steps of the input."""
    step_ms: float
    """The length of a step of the input."""
    input_shape: Shape
    layers: tuple[LayerNode, ...]
    losses: tuple[Loss, ...]
    """They add up, and all learn from the same labels or targets."""
    classifier: Classifier | None
    """None if the losses compare the output with targets, so that there are no classes."""
    regularizers: tuple[EventRate, ...] = ()
    reads_all: bool = False
    """Whether a loss of a Python program reads the outputs of all layers."""

    @property
    def loss(self) -> Loss:
        """The first loss that reads the last layer."""
        return next(each for each in self.losses if self.signal_of(each)[0] == self.output[0])

    @property
    def neuron_layers(self) -> list[SynapticNode]:
        """The layers that have synapses and neurons, in the order in which they run."""
        return [layer for layer in self.layers if isinstance(layer, SynapticNode)]

    def signal_of(self, loss: Loss) -> Signal:
        return loss.from_ or self.layers[-1].name, loss.signal

    def regularized(self, regularizer: EventRate) -> list[Signal]:
        names = regularizer.layers or [layer.name for layer in self.neuron_layers]
        return [(name, OUTPUT) for name in names]

    @property
    def output(self) -> Signal:
        return self.layers[-1].name, OUTPUT

    @property
    def signals(self) -> list[Signal]:
        """What losses and regularizers read, and the output of the last layer; each once."""
        found = [self.output, *map(self.signal_of, self.losses)]
        found += [each for one in self.regularizers for each in self.regularized(one)]
        found += [(layer.name, OUTPUT) for layer in self.layers] if self.reads_all else []
        return list(dict.fromkeys(found))

    @property
    def needed_names(self) -> set[str]:
        """The layers that losses read, and all on which they depend; INPUT if one reads it."""
        needed = {name for name, _ in self.signals}
        for layer in reversed(self.layers):
            if layer.name in needed:
                needed.update(layer.inputs)
        return needed

    @property
    def read_by_state(self) -> set[str]:
        """The layers of which a loss reads a state: they need not spike."""
        return {name for name, signal in self.signals if signal != OUTPUT}

    @property
    def output_shape(self) -> Shape:
        return self.layers[-1].output_shape

    @property
    def output_steps(self) -> int:
        return self.layers[-1].steps

    @property
    def output_step_ms(self) -> float:
        return self.layers[-1].step_ms

    @property
    def lengths(self) -> dict[str, int]:
        """The number of steps of the input and of each layer's output, by name."""
        return {INPUT: self.steps} | {layer.name: layer.steps for layer in self.layers}

    @property
    def decimation(self) -> int:
        """The number of steps of the input in a step of the output."""
        return round(self.output_step_ms / self.step_ms)

    @property
    def input_limits(self) -> tuple[float, float] | None:
        """The range of the grid to which a layer rounds the input; None if no layer does."""
        readers = (each.section for each in self.layers if INPUT in each.inputs)
        return next((each.input_limits for each in readers if each.input_limits), None)

    @property
    def classes(self) -> int | None:
        """The number of classes, one per output neuron; None if there is no classifier."""
        return None if self.classifier is None else math.prod(self.output_shape)

    @property
    def parameters(self) -> int:
        return sum(layer.parameters for layer in self.layers)

    @property
    def synapses(self) -> int:
        return sum(layer.synapses for layer in self.layers)
