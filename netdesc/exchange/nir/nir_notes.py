"""Reads what netdesc wrote into the metadata of a NIR file: see ``nir_record``."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from netdesc.description.models.document import Time
from netdesc.exchange.nir.nir_record import METADATA, NirGraph
from netdesc.sections import Name

Size = Annotated[int, Field(ge=1, le=1 << 24)]


class _Note(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)


class DelayNote(_Note):
    learn: bool = False


class LayerNote(_Note):
    """What the nodes of a layer do not say."""

    name: Name
    type: str
    nodes: list[str] = []
    neuron: str | None = None
    reset: Literal["zero", "subtract", "subtract_delayed"] = "zero"
    axonal_delay_step: bool | None = None
    delay: DelayNote = DelayNote()
    bits: Annotated[int, Field(ge=2, le=8)] | None = 8
    groups: Size = 1
    bias: bool = False
    threshold_shift: float = 0.0
    shape: list[Size] = []


class Notes(_Note):
    """The metadata."""

    format: Literal[1]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=100)]
    steps: int
    step_ms: float
    layers: list[LayerNote]

    def of_nodes(self) -> dict[str, LayerNote]:
        return {node: layer for layer in self.layers for node in layer.nodes}


def read_notes(graph: NirGraph, warnings: list[str]) -> Notes | None:
    """Returns the metadata; None if there are none. Damaged ones are a warning."""
    text = str(graph.metadata.get(METADATA, ""))
    try:
        notes = Notes.model_validate_json(text) if text else None
        if notes is not None:
            Time(steps=notes.steps, step_ms=notes.step_ms)
    except ValidationError as error:
        field = ".".join(map(str, error.errors(include_url=False)[0]["loc"]))[:60]
        warnings.append(f"netdesc's metadata in it are damaged ({field}) and were not used")
        return None
    return notes
