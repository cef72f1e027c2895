"""Reads what netdesc wrote into the metadata of a NIR file: see ``nir_record``."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, ValidationError

from netdesc.exchange.nir.nir_record import METADATA, NirGraph
from netdesc.sections import Name


class LayerNote(BaseModel):
    """What the nodes of a layer do not say. ``delay`` may have ``learn``."""

    name: Name
    type: str
    nodes: list[str] = []
    neuron: str | None = None
    reset: Literal["zero", "subtract", "subtract_delayed"] = "zero"
    axonal_delay_step: bool | None = None
    delay: dict[str, float] = {}
    bits: Annotated[int, Field(ge=2, le=8)] | None = 8
    bias: bool = False
    threshold_shift: float = 0.0
    shape: list[int] = []


class Notes(BaseModel):
    """The metadata."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=100)]
    steps: Annotated[int, Field(ge=1)]
    step_ms: Annotated[float, Field(gt=0)]
    layers: list[LayerNote]


def read_notes(graph: NirGraph, warnings: list[str]) -> Notes | None:
    """Returns the metadata; None if there are none. Damaged ones are a warning."""
    try:
        text = graph.metadata.get(METADATA)
        return None if text is None else Notes.model_validate_json(str(text))
    except ValidationError:
        warnings.append("netdesc's metadata in it are damaged and were not used")
        return None
