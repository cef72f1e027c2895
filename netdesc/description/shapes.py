"""Shapes and wiring of a document's layers: what each reads, and how large it is.

The one place where this is worked out: the rules report the problems, and the graph, which is built
from documents without problems, takes the shapes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from netdesc.description.json.tree import Parts
from netdesc.description.models import Dense, Document, Flatten, Layer
from netdesc.description.spelling import certain_name

INPUT = "input"
"""The name under which ``from`` refers to the network's input."""

MAX_PROBLEMS = 200
"""Problems of one document that are looked at; a hostile one has a hundred thousand."""

Shape = tuple[int, ...]
InputProblemKind = Literal["unknown", "later", "itself", "rank", "sum"]


@dataclass(frozen=True, slots=True)
class InputProblem:
    """What is wrong with the input of a layer; ``position`` is its index in a list of sources.

    ``meant`` is the earlier layer whose name an unknown source certainly misspells; ``first`` is
    the source that gave the first of the ``shapes``.
    """

    kind: InputProblemKind
    layer: int
    position: int | None
    source: str
    shapes: tuple[Shape, ...] = ()
    meant: str | None = None
    first: str = ""

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
    problems: list[InputProblem] = field(default_factory=list[InputProblem])


def wire(document: Document) -> Wiring:
    """Resolve every ``from`` and infer every shape, in the order of the layers."""
    wiring = Wiring()
    known: dict[str, Shape | None] = {INPUT: document.input.shape}
    names = {layer.name for layer in document.layers}
    before = INPUT
    for index, layer in enumerate(document.layers):
        sources = sources_of(layer, before)
        wiring.sources.append(sources)
        shape = _input_shape(index, layer, sources, names, known, wiring.problems)
        wiring.inputs.append(shape)
        wiring.outputs.append(SHAPE_RULES[type(layer)].infer(index, layer, shape, wiring.problems))
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
    sources: tuple[str, ...],
    names: Collection[str],
    known: Mapping[str, Shape | None],
    problems: list[InputProblem],
) -> Shape | None:
    listed = isinstance(layer.from_, tuple)
    first: tuple[str, Shape] | None = None
    is_known = fits = True
    for position, source in enumerate(sources):
        at = position if listed else None
        if source not in known:
            if len(problems) >= MAX_PROBLEMS:
                return None
            problems.append(_absent(index, layer, at, source, names, known))
            source = problems[-1].meant
        shape = known[source] if source is not None else None
        if source is None or shape is None:
            is_known = False
        elif first is None:
            first = (source, shape)
        elif shape != first[1] and fits:
            shapes = (first[1], shape)
            problems.append(InputProblem("sum", index, at, source, shapes, first=first[0]))
            fits = False
    return first[1] if first is not None and is_known and fits else None


def _absent(
    index: int,
    layer: Layer,
    position: int | None,
    source: str,
    names: Collection[str],
    known: Mapping[str, Shape | None],
) -> InputProblem:
    if source == layer.name:
        return InputProblem("itself", index, position, source)
    if source in names:
        return InputProblem("later", index, position, source)
    return InputProblem("unknown", index, position, source, meant=certain_name(source, known))


def _flatten(
    _index: int, _layer: Flatten, shape: Shape | None, _problems: list[InputProblem]
) -> Shape | None:
    return None if shape is None else (math.prod(shape),)


def _dense(index: int, layer: Dense, shape: Shape | None, problems: list[InputProblem]) -> Shape:
    if shape is not None and len(shape) != 1:
        problems.append(InputProblem("rank", index, None, "", (shape,)))
    return (layer.units,)


class ShapeRule(NamedTuple):
    """How a kind of layer gets its output shape.

    ``infer`` takes index, layer, input shape and the list of problems to add to. ``size_field`` is
    the field in which the document states the number of outputs; ``None`` if it follows from the
    input.
    """

    infer: Callable[..., Shape | None]
    size_field: str | None


SHAPE_RULES: dict[type[Layer], ShapeRule] = {
    Dense: ShapeRule(_dense, "units"),
    Flatten: ShapeRule(_flatten, None),
}
