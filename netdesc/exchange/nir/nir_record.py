"""The record of a NIR file, and what netdesc writes into its metadata.

NIR (nir 1.0.8, neuroir.org) holds neurons as differential equations. It has no step, no resets but
that to a voltage, and no integers. What it cannot say is JSON in the graph's metadata ``netdesc``:

- ``format``: 1; ``name``: that of the network; ``steps``, ``step_ms``: of a sample
- ``dt``: the seconds by which the time constants are to be divided (also the graph's metadata
  ``dt``, a number)
- ``layers``: a list in the network's order. Each has ``name``, ``type`` (of the section), ``nodes``
  (those of the file, in the order in which values pass them; a recurrent layer's are the weights,
  the neurons and the recurrent weights), ``from`` (names of layers; ``input``), and where they are
  not the default: ``neuron`` (type of the section; null if it has none), ``reset`` (as in the
  document), ``axonal_delay_step`` (bool), ``delay`` (``{"steps": n}`` or ``{"learn": true}``, whose
  steps are in the file's Delay), ``bits`` (null if the weights are not quantised), ``groups`` of a
  convolution whose weights are written with zeros between the groups, ``bias`` (True if one is
  learnt), ``threshold_shift`` (number that was added to the thresholds in the file), and ``shape``
  of a reshape

Where metadata and numbers disagree, the numbers win.
"""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from numpy.typing import NDArray
from pydantic import BaseModel, Field, ValidationError

from netdesc.sections import Name

FieldValue = NDArray[Any] | tuple[int, ...] | str | float

METADATA = "netdesc"
"""The key of netdesc's JSON in the metadata of a graph."""

DT = 1e-4
"""Seconds that a step takes in files, unless their metadata say otherwise. snnTorch knows no
other."""

NEVER = 2.0**60
"""A decay of 0 is a time constant of so many steps: 1 - 1/NEVER is 1 in floating point. Infinite
ones are not read by all."""


@dataclass(frozen=True, eq=False)
class NirNode:
    """A node. ``fields`` are its parameters by their names in NIR, arrays as in the file."""

    type: str
    fields: dict[str, FieldValue]


@dataclass(frozen=True, eq=False)
class NirGraph:
    """A file: ``nodes`` by their names, and ``edges`` (from, to), whose values add up."""

    nodes: dict[str, NirNode]
    edges: list[tuple[str, str]]
    metadata: dict[str, str | float] = field(default_factory=dict)
    version: str = "1.0.8"


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
