"""Checks that the lists ``learn`` and ``from`` have no repeated entries (ND209)."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.json.tree import Parts
from netdesc.description.rules.rule import Context, RuleDiagnostic
from netdesc.description.source_map import RelatedPath


def check(context: Context) -> Iterator[RuleDiagnostic]:
    lists: list[tuple[Parts, tuple[str, ...]]] = [
        ((*parts, "learn"), neuron.learn) for parts, neuron in context.neurons()
    ]
    for index, layer in enumerate(context.document.layers):
        if isinstance(layer.from_, tuple):
            lists.append((("layers", index, "from"), layer.from_))
    for parts, names in lists:
        first_position: dict[str, int] = {}
        for position, name in enumerate(names):
            if name in first_position:
                second = RelatedPath((*parts, first_position[name]), "first listed here")
                message = f'"{name}" is listed twice'
                yield RuleDiagnostic((*parts, position), message, related=(second,))
            first_position.setdefault(name, position)


ENTRY = Entry(
    code="ND209",
    title="a list names the same thing twice",
    cause='"from" or "learn" has an entry twice. In "from" an output would be added twice.',
    fix="Remove one of the two.",
    at="/layers/1",
    wrong=(
        '{"name": "output", "type": "dense", "units": 2, "neuron": "cuba",\n'
        ' "from": ["hidden", "hidden"]}'
    ),
    right=(
        '{"name": "output", "type": "dense", "units": 2, "neuron": "cuba",\n "from": ["hidden"]}'
    ),
)
