"""Shapes and wiring of a document's layers: what each reads, and how large it is.

The one place where this is worked out: the rules report the problems, and the graph, which is built
from documents without problems, takes the shapes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from netdesc.description.models import Document, Flatten, Layer
from netdesc.description.tree import Parts

INPUT = "input"
"""The name under which ``from`` refers to the network's input."""

Shape = tuple[int, ...]
ProblemKind = Literal["unknown", "later", "itself", "rank", "sum"]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with the input of a layer; ``position`` is its index in a list of sources."""

    kind: ProblemKind
    layer: int
    position: int | None
    source: str
    shapes: tuple[Shape, ...] = ()

    @property
    def parts(self) -> Parts:
        """Where in the document the name stands that the layer reads."""
        at: Parts = ("layers", self.layer, "from")
        return at if self.position is None else (*at, self.position)


@dataclass(slots=True)
class Wiring:
    """For each layer the names that it reads and its shapes; ``None`` where unknown."""

    sources: list[tuple[str, ...]] = field(default_factory=list[tuple[str, ...]])
    inputs: list[Shape | None] = field(default_factory=list["Shape | None"])
    outputs: list[Shape | None] = field(default_factory=list["Shape | None"])
    problems: list[Problem] = field(default_factory=list[Problem])


def wire(document: Document) -> Wiring:
    """Resolve every ``from`` and infer every shape, in the order of the layers."""
    wiring = Wiring()
    known: dict[str, Shape | None] = {INPUT: document.input.shape}
    names = [layer.name for layer in document.layers]
    before = INPUT
    for index, layer in enumerate(document.layers):
        sources = sources_of(layer, before)
        wiring.sources.append(sources)
        shape = _input_shape(index, layer, names, known, wiring.problems)
        wiring.inputs.append(shape)
        wiring.outputs.append(_output_shape(index, layer, shape, wiring.problems))
        if layer.name != INPUT:
            known[layer.name] = wiring.outputs[-1]
        before = layer.name
    return wiring


def sources_of(layer: Layer, before: str) -> tuple[str, ...]:
    """The names that a layer reads."""
    if layer.from_ is None:
        return (before,)
    return (layer.from_,) if isinstance(layer.from_, str) else layer.from_


def _input_shape(
    index: int,
    layer: Layer,
    names: Sequence[str],
    known: dict[str, Shape | None],
    problems: list[Problem],
) -> Shape | None:
    before = names[index - 1] if index else INPUT
    listed = isinstance(layer.from_, tuple)
    shapes: list[Shape | None] = []
    for position, source in enumerate(sources_of(layer, before)):
        if source in known:
            shapes.append(known[source])
            continue
        shapes.append(None)
        kind: ProblemKind = "unknown"
        if source == layer.name:
            kind = "itself"
        elif source in names:
            kind = "later"
        problems.append(Problem(kind, index, position if listed else None, source))
    if any(shape is None for shape in shapes):
        return None
    certain = [shape for shape in shapes if shape is not None]
    for position, shape in enumerate(certain):
        if shape != certain[0]:
            source = sources_of(layer, before)[position]
            problems.append(Problem("sum", index, position, source, (certain[0], shape)))
            return None
    return certain[0]


def _output_shape(
    index: int, layer: Layer, shape: Shape | None, problems: list[Problem]
) -> Shape | None:
    if isinstance(layer, Flatten):
        return None if shape is None else (math.prod(shape),)
    if shape is not None and len(shape) != 1:
        problems.append(Problem("rank", index, None, "", (shape,)))
    return (layer.units,)
