"""Infers the sources and shapes of all layers of a document, and explains them to users.

``rules`` report the problems. ``graph``, which is built from a valid document, uses the shapes.
"""

from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from netdesc.description.json.tree import Parts
from netdesc.description.models import Document
from netdesc.description.models.layers import Layer, Shape, ShapeError
from netdesc.description.source_map import RelatedPath
from netdesc.description.spelling import certain_name

INPUT = "input"
"""The name of the network's input in ``from``."""

MAX_PROBLEMS = 200
"""Largest number of problems. After that, unknown sources are not reported."""

InputProblemKind = Literal["unknown", "later", "itself", "shape", "sum"]


@dataclass(frozen=True, slots=True)
class InputProblem:
    """A problem with the input of the layer at the index ``layer``."""

    kind: InputProblemKind
    layer: int
    position: int | None = None
    """Index of the source in the list ``from``; ``None`` if ``from`` is not a list."""
    source: str = ""
    shapes: tuple[Shape, ...] = ()
    correction: str | None = None
    """For an unknown source: the known name that it misspells; ``None`` if none is certain."""
    first: str = ""
    """For a sum: the name of the source with the shape ``shapes[0]``."""
    error: ShapeError | None = None
    """For a shape that the layer cannot take: what its section says."""

    @property
    def parts(self) -> Parts:
        """The path of the source's name in the document."""
        at: Parts = ("layers", self.layer, "from")
        return at if self.position is None else (*at, self.position)


@dataclass(slots=True)
class Wiring:
    """The sources, shapes and steps of each layer. An unknown shape is ``None``."""

    sources: list[tuple[str, ...]] = field(default_factory=list[tuple[str, ...]])
    inputs: list[Shape | None] = field(default_factory=list["Shape | None"])
    outputs: list[Shape | None] = field(default_factory=list["Shape | None"])
    steps: list[int] = field(default_factory=list[int])
    """The number of steps of each layer's output."""
    decimations: list[int] = field(default_factory=list[int])
    """The number of steps of the input in a step of each layer's output."""
    problems: list[InputProblem] = field(default_factory=list[InputProblem])


def wire(document: Document) -> Wiring:
    """Resolves every ``from`` and infers all shapes, layer by layer. Problems are in the result."""
    wiring = Wiring()
    known: dict[str, Shape | None] = {INPUT: document.input.shape}
    steps, decimations = {INPUT: document.time.steps}, {INPUT: 1}
    names = {layer.name for layer in document.layers}
    before = INPUT
    for index, layer in enumerate(document.layers):
        sources = (before,) if layer.from_ is None else layer.from_
        sources = (sources,) if isinstance(sources, str) else sources
        wiring.sources.append(sources)
        shape = _input_shape(index, layer, sources, names, known, wiring.problems)
        wiring.inputs.append(shape)
        output = layer.output_shape_of_any
        if shape is not None:
            with _noting(index, wiring.problems, shape):
                output = layer.output_shape(shape)
        wiring.outputs.append(output)
        lengths = {steps[name]: name for name in sources if name in steps}
        length = next(iter(lengths), document.time.steps)
        with _noting(index, wiring.problems):
            if len(lengths) > 1:
                shown = " and ".join(f'{each} steps of "{name}"' for each, name in lengths.items())
                raise ShapeError(f"cannot join {shown}", "join layers of equal steps", "from")
            length = layer.output_steps(length)
        wiring.steps.append(length)
        decimation = layer.decimation * next((decimations[each] for each in lengths.values()), 1)
        wiring.decimations.append(decimation)
        if layer.name != INPUT:
            decimations[layer.name] = decimation
            known[layer.name], steps[layer.name] = output, length
        before = layer.name
    return wiring


@contextmanager
def _noting(index: int, problems: list[InputProblem], *shapes: Shape) -> Generator[None]:
    """Ends the block at a ShapeError, which becomes a problem of the layer ``index``."""
    try:
        yield
    except ShapeError as error:
        problems.append(InputProblem("shape", index, shapes=shapes, error=error))


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
    shapes: list[Shape] = []
    for position, source in enumerate(sources):
        at = position if listed else None
        if source not in known:
            if len(problems) >= MAX_PROBLEMS:
                return None
            kind: InputProblemKind = "later" if source in names else "unknown"
            kind = "itself" if source == layer.name else kind
            correction = certain_name(source, known) if kind == "unknown" else None
            problems.append(InputProblem(kind, index, at, source, correction=correction))
            source = correction
        shape = known[source] if source is not None else None
        if source is None or shape is None:
            is_known = False
            continue
        shapes.append(shape)
        if first is None:
            first = (source, shape)
        elif layer.sums_inputs and shape != first[1] and fits:
            pair = (first[1], shape)
            problems.append(InputProblem("sum", index, at, source, pair, first=first[0]))
            fits = False
    if not (shapes and is_known and fits):
        return None
    with _noting(index, problems):
        return layer.input_shape(shapes)
    return None


_FIRST_SHOWN, _LAST_SHOWN = 2, 3
"""Numbers of layers that are shown at the start and at the end of a long trace."""


def trace_shape(document: Document, wiring: Wiring, last: int) -> str:
    """Returns ``input [4] → hidden dense [8] → …`` up to the layer with the index ``last``.

    If a layer reads a sum, the trace follows the first source, which determines the shape.
    """
    indices = {layer.name: index for index, layer in reversed(list(enumerate(document.layers)))}
    path: list[int] = []
    at: int | None = last
    while at is not None and (not path or at < path[-1]):
        path.append(at)
        at = indices.get(wiring.sources[at][0])
    path.reverse()
    labels: list[str] = []
    for layer, shape in ((document.layers[index], wiring.outputs[index]) for index in path):
        labels.append(f"{layer.name} {layer.type} {list(shape) if shape is not None else '[?]'}")
    if len(labels) > _FIRST_SHOWN + _LAST_SHOWN + 1:
        hidden = len(labels) - _FIRST_SHOWN - _LAST_SHOWN
        labels[_FIRST_SHOWN:-_LAST_SHOWN] = [f"({hidden} layers)"]
    # The path does not start at the input if the name of a source is unknown.
    starts_at_input = wiring.sources[path[0]][0] == INPUT
    start = f"{INPUT} {list(document.input.shape)}" if starts_at_input else "…"
    return " → ".join([start, *labels])


def trace_source(document: Document, wiring: Wiring, source: str) -> str:
    """Returns the trace up to ``source``, the name of a layer or the input."""
    for index, layer in enumerate(document.layers):
        if layer.name == source != INPUT:
            return trace_shape(document, wiring, index)
    return f"{INPUT} {list(document.input.shape)}"


def shape_locations(
    document: Document, source: str, shape: Shape | None = None
) -> tuple[RelatedPath, ...]:
    """Returns the path of the field that sets the output shape of ``source``, a layer or the input,
    else of the layer's name, and a message with the ``shape`` if it is known.
    """
    for index, layer in enumerate(document.layers):
        if layer.name == source != INPUT:
            at: Parts = ("layers", index, layer.size_field or "name")
            shown = list(shape) if shape is not None else "this shape"
            return (RelatedPath(at, f'"{source}" gives {shown}'),)
    message = f"the input has the shape {list(document.input.shape)}"
    return (RelatedPath(("input", "shape"), message),)


def output_locations(document: Document) -> tuple[RelatedPath, ...]:
    """Returns the path of the field with the number of outputs, else of the last layer's name."""
    index, layer = len(document.layers) - 1, document.layers[-1]
    field = layer.size_field
    if field is None:
        return (RelatedPath(("layers", index, "name"), "the last layer"),)
    count = getattr(layer, field)
    noun = "output" if count == 1 else "outputs"
    return (RelatedPath(("layers", index, field), f"the network has {count} {noun}"),)
