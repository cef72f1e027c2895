"""The neurons that a document may have, as one type for its fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias, Union

from pydantic import Field

from netdesc.neurons.models import NEURONS, NeuronSection

NEURON_EXAMPLE = {"type": "cuba", "threshold": 1, "current_decay": 1, "voltage_decay": 0.1}


if TYPE_CHECKING:
    Neuron: TypeAlias = NeuronSection
else:
    _sections = tuple(NEURONS.values())
    Neuron = Annotated[Union[_sections], Field(discriminator="type")]  # noqa: UP007  (X | Y takes no tuple)
