"""Explains a layer's shape to users: the layers before it, and the fields that set the shape."""

from __future__ import annotations

from netdesc.description.json.tree import Parts
from netdesc.description.models import Document
from netdesc.description.shapes import INPUT, Shape, Wiring
from netdesc.description.source_map import RelatedPath

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
    labels = [_label(document, wiring, index) for index in path]
    if len(labels) > _FIRST_SHOWN + _LAST_SHOWN + 1:
        hidden = len(labels) - _FIRST_SHOWN - _LAST_SHOWN
        labels[_FIRST_SHOWN:-_LAST_SHOWN] = [f"({hidden} layers)"]
    # The path does not start at the input if the name of a source is unknown.
    starts_at_input = wiring.sources[path[0]][0] == INPUT
    start = f"{INPUT} {list(document.input.shape)}" if starts_at_input else "…"
    return " → ".join([start, *labels])


def _label(document: Document, wiring: Wiring, index: int) -> str:
    layer, shape = document.layers[index], wiring.outputs[index]
    return f"{layer.name} {layer.type} {list(shape) if shape is not None else '[?]'}"


def trace_source(document: Document, wiring: Wiring, source: str) -> str:
    """Returns the trace up to ``source``, the name of a layer or the input."""
    for index, layer in enumerate(document.layers):
        if layer.name == source != INPUT:
            return trace_shape(document, wiring, index)
    return f"{INPUT} {list(document.input.shape)}"


def shape_locations(
    document: Document, source: str, shape: Shape | None = None
) -> tuple[RelatedPath, ...]:
    """Returns the path of the field that sets the output shape of ``source``, and a message.

    ``source`` names the input or a layer. For a layer without such a field, the path is that of its
    name. ``shape`` is the shape that the message shows, if it is known.
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
