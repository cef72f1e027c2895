"""A list that names the same thing twice."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.json.tree import Parts
from netdesc.description.rules.rule import Context, Finding
from netdesc.description.source_map import RelatedPath


def check(context: Context) -> Iterator[Finding]:
    lists: list[tuple[Parts, tuple[str, ...]]] = [
        ((*parts, "learn"), neuron.learn) for parts, neuron in context.neurons()
    ]
    for index, layer in enumerate(context.document.layers):
        if isinstance(layer.from_, tuple):
            lists.append((("layers", index, "from"), layer.from_))
    for parts, names in lists:
        first: dict[str, int] = {}
        for position, name in enumerate(names):
            if name in first:
                second = RelatedPath((*parts, first[name]), "first listed here")
                message = f'"{name}" is listed twice'
                yield Finding((*parts, position), message, related=(second,))
            first.setdefault(name, position)


ENTRY = Entry(
    code="ND209",
    title="a list names the same thing twice",
    cause='"from" or "learn" holds an entry twice. A layer would be summed with itself.',
    fix="Take one of the two away.",
    at="/layers/1",
    wrong=(
        '{"name": "output", "type": "dense", "units": 2, "neuron": "cuba",\n'
        ' "from": ["hidden", "hidden"]}'
    ),
    right=(
        '{"name": "output", "type": "dense", "units": 2, "neuron": "cuba",\n "from": ["hidden"]}'
    ),
)
