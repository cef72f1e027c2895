"""Checks that layers have different names (ND203)."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.rules.rule import Context, RuleDiagnostic
from netdesc.description.source_map import RelatedPath


def check(context: Context) -> Iterator[RuleDiagnostic]:
    first_index: dict[str, int] = {}
    for index, layer in enumerate(context.document.layers):
        if layer.name in first_index:
            yield RuleDiagnostic(
                ("layers", index, "name"),
                f'layer {first_index[layer.name]} already has the name "{layer.name}"',
                hint="choose another name",
                related=(
                    RelatedPath(("layers", first_index[layer.name], "name"), "the first one"),
                ),
            )
        first_index.setdefault(layer.name, index)


ENTRY = Entry(
    code="ND203",
    title="two layers have the same name",
    cause='A name identifies a layer in "from", in weights files and in reports.',
    fix="Give each layer its own name.",
    at="/layers/0/name",
    wrong='"output"',
    right='"hidden"',
)
