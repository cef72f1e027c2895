"""How a shape came about: from the input through the layers, in one line and by places."""

from __future__ import annotations

from netdesc.description.json.tree import Parts
from netdesc.description.models import Dense, Document
from netdesc.description.shapes import INPUT, Shape, Wiring
from netdesc.description.source_map import Second

_HEAD, _TAIL = 2, 3
"""Of a long way so many layers are told from either end."""


def story(document: Document, wiring: Wiring, last: int, end: str = "") -> str:
    """``input [4] → hidden dense [8] → …``, up to the layer ``last`` and what follows it.

    Of several sources the first one is told, which the others have to fit.
    """
    first = {layer.name: index for index, layer in reversed(list(enumerate(document.layers)))}
    way: list[int] = []
    at: int | None = last
    while at is not None and (not way or at < way[-1]):
        way.append(at)
        at = first.get(wiring.sources[at][0])
    way.reverse()
    told = [_step(document, wiring, index) for index in way]
    if len(told) > _HEAD + _TAIL + 1:
        told[_HEAD:-_TAIL] = [f"({len(told) - _HEAD - _TAIL} layers)"]
    # A source that is misspelt leads nowhere.
    begins = wiring.sources[way[0]][0] == INPUT
    start = f"{INPUT} {list(document.input.shape)}" if begins else "…"
    return " → ".join([start, *told, *([end] if end else [])])


def _step(document: Document, wiring: Wiring, index: int) -> str:
    layer, shape = document.layers[index], wiring.outputs[index]
    return f"{layer.name} {layer.type} {list(shape) if shape is not None else '[?]'}"


def source_story(document: Document, wiring: Wiring, source: str) -> str:
    """The story of what a layer reads: of another layer, or of the input."""
    for index, layer in enumerate(document.layers):
        if layer.name == source != INPUT:
            return story(document, wiring, index)
    return f"{INPUT} {list(document.input.shape)}"


def stated(document: Document, source: str, shape: Shape | None = None) -> tuple[Second, ...]:
    """Where the document says how large the output of a layer, or the input, is."""
    for index, layer in enumerate(document.layers):
        if layer.name == source != INPUT:
            at: Parts = ("layers", index, "units" if isinstance(layer, Dense) else "name")
            told = f" {list(shape)}" if shape is not None else " this shape"
            return (Second(at, f'"{source}" gives{told}'),)
    return (Second(("input", "shape"), f"the input has the shape {list(document.input.shape)}"),)


def output_size(document: Document) -> tuple[Second, ...]:
    """Where the document says how many outputs the network has."""
    layer = document.layers[-1]
    if not isinstance(layer, Dense):
        return (Second(("layers", len(document.layers) - 1, "name"), "the last layer"),)
    place: Parts = ("layers", len(document.layers) - 1, "units")
    noun = "output" if layer.units == 1 else "outputs"
    return (Second(place, f"the network has {layer.units} {noun}"),)
