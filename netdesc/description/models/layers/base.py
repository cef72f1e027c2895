"""Base classes of the sections of layers: common fields, and the rules of shapes."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, TypeAlias, Union

from pydantic import Discriminator, Field, Tag

from netdesc.description.models.layers.fields import (
    AUTO,
    AxonalDelay,
    Mask,
    Quantization,
    WeightScale,
)
from netdesc.description.models.training import ParameterKind
from netdesc.neurons.models import NEURONS, NeuronSection
from netdesc.neurons.models.integrator import IDENTITY
from netdesc.sections import Name, Section, field, form_tag

Shape = tuple[int, ...]

DEVICE_LIMITS = (-4.0, 254 / 64)
"""The least and the largest number on the device's grid of 8 bits."""

From = Annotated[
    Annotated[str, Tag("<plain>")]
    | Annotated[Annotated[tuple[str, ...], Field(min_length=1)], Tag("<list>")],
    Discriminator(form_tag),
]

if TYPE_CHECKING:
    Neuron: TypeAlias = NeuronSection
else:
    _sections = tuple(NEURONS.values())
    Neuron = Annotated[Union[_sections], Field(discriminator="type")]  # noqa: UP007  (X | Y takes no tuple)

NeuronOrName = Annotated[
    Annotated[str, Tag("<plain>")] | Annotated[Neuron, Tag("<object>")], Discriminator(form_tag)
]


class ShapeError(ValueError):
    """A layer cannot take its input; the message goes on after 'layer "name" '.

    ``hint`` is a way out, ``field`` the field of the layer that does not fit the input's shape.
    """

    def __init__(self, message: str, hint: str = "", field: str = "type") -> None:
        super().__init__(message)
        self.hint, self.field = hint, field


def require_vector(shape: Shape) -> None:
    """Raises ShapeError unless the input has one dimension."""
    if len(shape) != 1:
        hint = 'add a layer of type "flatten" before it'
        raise ShapeError("needs an input of one dimension", hint)


class LayerSection(Section):
    """Base class of the sections of layers."""

    is_shared = True
    sums_inputs: ClassVar[bool] = True
    """Whether outputs of several layers in ``from`` are added up, so that they have one shape."""
    input_limits: ClassVar[tuple[float, float] | None] = None
    """The range of the grid to which the layer rounds the network's input; None if it does not."""
    is_elementwise: ClassVar[bool] = False
    """Whether each value that comes in has a neuron of its own."""
    size_field: ClassVar[str | None] = None
    """The field with the number or the shape of outputs; None if it follows from the input."""

    name: Name = field("Name of the layer, unique in the network.", example="hidden")
    from_: From | None = field(
        "Name of the layer whose output this layer reads, or a list of names whose outputs are "
        'summed; "input" is the network\'s input. Null reads the layer before.',
        default=None,
        example="input",
        alias="from",
    )

    @property
    def output_shape_of_any(self) -> Shape | None:
        """The shape of the output for any input; None if it depends on the input."""
        size = None if self.size_field is None else getattr(self, self.size_field)
        return (size,) if isinstance(size, int) else size

    def input_shape(self, shapes: Sequence[Shape]) -> Shape:
        """Returns the shape of the joined outputs of the layers in ``from``; of sums, the first.

        Raises ShapeError if they cannot be joined.
        """
        return shapes[0]

    @property
    def decimation(self) -> int:
        """The number of steps of the input in a step of the output."""
        return 1

    @property
    def own_delay(self) -> int:
        """The fewest steps by which the output comes later, without the axonal step."""
        return 0

    def neuron_of(self, neurons: Mapping[str, NeuronSection]) -> NeuronSection | None:
        """Returns the layer's neuron, in a document with ``neurons``; None if it is not there."""
        return None

    def axonal_steps(self, neuron: NeuronSection | None) -> int:
        """Returns the steps, 0 or 1, by which the layer delays the output of its neurons.

        ``neuron`` is None if it is not known.
        """
        return 0

    def output_steps(self, steps: int) -> int:
        """Returns the number of steps of the output; ShapeError if the input has too few."""
        return steps

    def output_shape(self, shape: Shape) -> Shape:
        """Returns the shape of the output for an input of ``shape``, both without time and batch.

        Raises ShapeError if the layer cannot take such an input. By default, the shape stays.
        """
        return shape


class PlainSection(LayerSection):
    """Base class of the layers without synapses."""

    neuron: ClassVar[None] = None
    mask: ClassVar[None] = None


class SynapticSection(LayerSection):
    """Base class of the layers with synapses into neurons."""

    is_shared = True
    feeds_back: ClassVar[bool] = False
    """Whether every neuron also reads all neurons of the layer, one step later."""
    draws_weights: ClassVar[bool] = True
    """Whether the initial weights are drawn at random; otherwise the neurons share the weights."""
    decays_weights: ClassVar[bool] = True
    """Whether the weight decay of the optimizer acts on the weights."""
    fields_of_own_weights: ClassVar[tuple[str, ...]] = ()
    """Fields of all layers with synapses that have no effect, because neurons share weights."""

    neuron: NeuronOrName | None = field(
        'The layer\'s neuron: a name from "neurons", or an object in place. With null, the '
        "output is the weighted sum of a step's inputs, rounded to 1/4096.",
        example="cuba",
    )
    bias: bool = field(
        "True learns a bias for each channel, which is added where norm(…) stands in the neuron's "
        "equations. The device holds round(64·bias), from -256 to 256; with quantization null, the "
        "bias is rounded to 1/4096.",
        default=False,
    )
    bias_init: float = field(
        "Initial bias of each channel.", unit="1", default=0.0, example=0.5, ge=-4, le=4
    )
    weight_scale: WeightScale = field(
        "Factor on the initial weights, whose unit is 1/sqrt(inputs of a neuron): a number, or "
        '"auto", with which the first training batch determines it, so that the neurons are '
        "active but not saturated.",
        unit="1",
        default=AUTO,
        example=1.0,
    )
    weight_init: Literal["uniform", "normal"] = field(
        'Initial weights: "uniform" within ±weight_scale/sqrt(inputs), or "normal" with this '
        "standard deviation.",
        default="uniform",
        example="normal",
    )
    trainable: bool = field(
        "False keeps the weights unchanged in training; a bias, a delay and the parameters that "
        "neurons learn still change.",
        default=True,
    )
    weight_norm: bool = field(
        "True trains direction and length of each neuron's weights separately (weight "
        "normalisation).",
        default=False,
    )
    quantization: Quantization | None = field(
        "The device's grid of weights, which training uses as well; null trains with unquantised "
        "weights, and with biases as fine as states.",
        default=Quantization(),
    )
    mask: Mask | None = field(
        "The weights that exist; null has all of them.", default=None, example={"density": 0.1}
    )
    axonal_delay_step: bool | None = field(
        "True delays the layer's output by one step, as the device does with spikes; false does "
        "not. Null means true for neurons that spike and false for others, such as "
        '"integrator", "delta" and "sigma_delta".',
        default=None,
        example=False,
    )

    delay: AxonalDelay | None = field(
        "Further steps by which the output comes later, fixed or learnt.",
        default=None,
        example={"steps": 3},
    )

    def axonal_steps(self, neuron: NeuronSection | None) -> int:
        if self.axonal_delay_step is not None:
            return int(self.axonal_delay_step)
        return int(neuron is None or neuron.equations().spike is not None)

    def idle_reasons(self) -> dict[str, str]:
        reason = "neurons of this type of layer share their weights"
        reasons = dict.fromkeys(self.fields_of_own_weights, reason)
        if not self.learns_bias:
            reasons["bias_init"] = 'only a bias that is learnt ("bias": true) begins with it'
        return reasons

    def trained_kinds(self, neuron: NeuronSection | None) -> Iterator[ParameterKind]:
        """Yields the kinds of trained numbers that the layer and its neuron have."""
        if self.trainable:
            yield "weights"
        if self.learns_bias:
            yield "biases"
        if self.delay is not None and self.delay.learn:
            yield "delays"
        kinds = {} if neuron is None else neuron.value_kinds()
        for name in () if neuron is None else neuron.learn:
            yield "thresholds" if kinds.get(name) == "threshold" else "decays"

    @property
    def own_delay(self) -> int:
        return 0 if self.delay is None else self.delay.fewest

    def neuron_of(self, neurons: Mapping[str, NeuronSection]) -> NeuronSection | None:
        if self.neuron is None:
            return IDENTITY
        return neurons.get(self.neuron) if isinstance(self.neuron, str) else self.neuron

    @property
    def recurrent_synapses(self) -> "SynapticSection | None":
        """Trained synapses from the layer's own outputs, as a section; None if there are none."""
        return None

    @property
    def drive_share(self) -> float | None:
        """The part of its threshold that arrives at each neuron in every step, or None."""
        return None

    @property
    def own_weights(self) -> dict[str, float]:
        """Maps fields to the fixed weights from the layer's own outputs that they set."""
        return {}

    @property
    def learns_bias(self) -> bool:
        """Whether there is a learnt bias for each channel."""
        return self.bias

    @property
    def given_weights(self) -> tuple[float, ...]:
        """The initial weights, unless they are drawn."""
        return ()

    @property
    def drawn_scale(self) -> float:
        """The factor on the weights that are drawn; 1 while it is to be found."""
        return 1.0 if isinstance(self.weight_scale, str) else self.weight_scale

    def weight_shape(self, shape: Shape) -> Shape:
        """Returns the shape of the weights for an input of ``shape``; channels are axis 0."""
        raise NotImplementedError

    def synapses(self, shape: Shape) -> int:
        """Returns the number of connections from an input of ``shape``."""
        return math.prod(self.weight_shape(shape))
