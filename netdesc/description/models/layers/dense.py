"""Layers in which every input reaches every neuron; some of them also read their own outputs."""

from typing import Any, Literal

from netdesc.description.models.layers.base import Shape, SynapticSection, require_vector
from netdesc.description.models.layers.fields import AUTO, WeightScale
from netdesc.sections import field


class FullyConnected(SynapticSection):
    """Base class of the layers in which every input reaches every neuron."""

    size_field = "units"

    units: int = field("Number of neurons.", unit="neurons", ge=1, le=1 << 20, example=128)

    def output_shape(self, shape: Shape) -> Shape:
        require_vector(shape)
        return (self.units,)

    def weight_shape(self, shape: Shape) -> Shape:
        return (self.units, *shape)


class Dense(FullyConnected):
    """Fully connected synapses into neurons."""

    type: Literal["dense"]


class RecurrentSection(FullyConnected):
    """Base class of the layers in which every neuron reads all neurons of the layer, too.

    What a neuron reads are the outputs of the step before, without an axonal delay.
    """

    feeds_back = True

    def synapses(self, shape: Shape) -> int:
        return super().synapses(shape) + self.units**2


class Recurrent(RecurrentSection):
    """A dense layer with trained weights from its own spikes, one step later."""

    type: Literal["recurrent"]
    recurrent_weight_scale: WeightScale = field(
        "Factor on the initial recurrent weights, which are uniform in ±1/sqrt(units): a number, "
        'or "auto", with which the neurons get less from one another than from the input.',
        unit="1",
        default=AUTO,
        example=1.0,
    )

    @property
    def recurrent_synapses(self) -> Dense:
        names = SynapticSection.model_fields
        fields: dict[str, Any] = {name: getattr(self, name) for name in names}
        fields |= {"units": self.units, "weight_scale": self.recurrent_weight_scale}
        fields["mask"] = None  # a mask has the shape of the weights from the input
        return Dense.model_construct(None, type="dense", **fields)


class WinnerTakeAll(RecurrentSection):
    """A dense layer whose neurons inhibit one another, one step after they fire."""

    type: Literal["winner_take_all"]
    winners: int = field(
        "Number of neurons that should win. What arrives at each neuron is raised by "
        "threshold·(units − 2·winners)/units, which is cut off at -4 and 3.97, the ends of the "
        "device's grid.",
        unit="neurons",
        ge=1,
        example=3,
    )
    self_excitation: float = field(
        "Weight from a neuron to itself.", unit="1", default=0.5, ge=0, le=1
    )
    inhibition: float = field(
        "Weight from a neuron to each other, which is subtracted.",
        unit="1",
        default=1.0,
        ge=0,
        le=4,
    )

    @property
    def own_weights(self) -> dict[str, float]:
        return {"self_excitation": self.self_excitation, "inhibition": -self.inhibition}

    @property
    def drive_share(self) -> float:
        return (self.units - 2 * self.winners) / self.units
