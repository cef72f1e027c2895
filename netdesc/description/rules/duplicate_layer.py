"""Two layers of one name."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.rules.rule import Context, Finding
from netdesc.description.source_map import RelatedPath


def check(context: Context) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for index, layer in enumerate(context.document.layers):
        if layer.name in first:
            yield Finding(
                ("layers", index, "name"),
                f'the name "{layer.name}" is taken by layer {first[layer.name]}',
                hint="choose another name",
                related=(RelatedPath(("layers", first[layer.name], "name"), "the first one"),),
            )
        first.setdefault(layer.name, index)


ENTRY = Entry(
    code="ND203",
    title="two layers have the same name",
    cause='Layers are told apart by their names: in "from", in the weights and in reports.',
    fix="Give each layer a name of its own.",
    at="/layers/0/name",
    wrong='"output"',
    right='"hidden"',
)
