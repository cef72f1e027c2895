"""Layers of a network."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from netdesc.description.models.neurons import Neuron
from netdesc.sections import Name, Section, field, form_tag, type_tag

From = Annotated[
    Annotated[str, Tag("<plain>")]
    | Annotated[Annotated[tuple[str, ...], Field(min_length=1)], Tag("<list>")],
    Discriminator(form_tag),
]

NeuronOrName = Annotated[
    Annotated[str, Tag("<plain>")] | Annotated[Neuron, Tag("<object>")], Discriminator(form_tag)
]

FROM_TEXT = (
    "Name of the layer whose output this layer reads, or a list of names whose outputs are summed; "
    '"input" is the network\'s input. Null reads the layer before.'
)


class Quantization(Section):
    """The grid of the device's weights: 2·round(32·w), clamped to -256..254."""

    bits: Literal[8] = field("Bits of a weight on the device.", unit="bit", default=8)


class Dense(Section):
    """Fully connected synapses into neurons."""

    name: Name = field("Name of the layer, unique in the network.", example="hidden")
    type: Literal["dense"] = field("Fully connected synapses into neurons.")
    units: int = field(
        "Number of neurons.", unit="neurons", ge=1, le=1 << 20, placeholder=1, example=128
    )
    neuron: NeuronOrName = field(
        'The layer\'s neuron: a name from "neurons", or an object in place.',
        example="cuba",
    )
    from_: From | None = field(FROM_TEXT, default=None, example="input", alias="from")
    weight_scale: float = field(
        "Factor on the initial weights, which are uniform in ±1/sqrt(inputs).",
        unit="1",
        default=1.0,
        gt=0,
        le=1e6,
    )
    weight_norm: bool = field(
        "True trains direction and length of each neuron's weights separately (weight "
        "normalisation).",
        default=False,
    )
    quantization: Quantization | None = field(
        "The device's grid of weights, which training uses as well; null trains with unquantised "
        "weights.",
        default=Quantization(),
    )
    axonal_delay_step: bool | None = field(
        "True delays the layer's output by one step, as the device does with spikes; false hands "
        "it on at once. Null is true for neurons that spike and false for others, such as "
        '"integrator", "delta" and "sigma_delta".',
        default=None,
        example=False,
    )


class Flatten(Section):
    """Turns an input with several axes into one axis; the last axis varies fastest."""

    name: Name = field("Name of the layer, unique in the network.", example="hidden")
    type: Literal["flatten"] = field(
        "Turns an input with several axes into one axis; the last axis varies fastest."
    )
    from_: From | None = field(FROM_TEXT, default=None, example="input", alias="from")


NEURON_LAYERS = (Dense,)
"""The classes of layers that have synapses and neurons."""

Layer = Annotated[
    Annotated[Dense, Tag("<dense>")] | Annotated[Flatten, Tag("<flatten>")],
    Discriminator(type_tag),
]
