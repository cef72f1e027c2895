"""The neurons that a document may have, as one type for its fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, Union

from pydantic import Discriminator, Tag

from netdesc.neurons.models import NEURONS, NeuronSection
from netdesc.sections import type_tag

NEURON_EXAMPLE = {"type": "cuba", "threshold": 1, "current_decay": 1, "voltage_decay": 0.1}


def _union() -> Any:
    """Returns the union of all sections of neurons, of which ``type`` chooses one."""
    if len(NEURONS) == 1:
        return next(iter(NEURONS.values()))
    members = tuple(Annotated[section, Tag(f"<{name}>")] for name, section in NEURONS.items())
    return Annotated[Union[members], Discriminator(type_tag)]  # noqa: UP007 - members are computed


if TYPE_CHECKING:
    Neuron: TypeAlias = NeuronSection
else:
    Neuron = _union()
