"""Checks that no layer has the name of the network's input (ND204)."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.rules.rule import Context, RuleDiagnostic
from netdesc.description.shapes import INPUT
from netdesc.description.source_map import RelatedPath


def check(context: Context) -> Iterator[RuleDiagnostic]:
    for index, layer in enumerate(context.document.layers):
        if layer.name == INPUT:
            message = f'"{INPUT}" is the name of the network\'s input'
            yield RuleDiagnostic(
                ("layers", index, "name"),
                message,
                hint="choose another name",
                related=(RelatedPath(("input",), "the network's input", on="key"),),
            )


ENTRY = Entry(
    code="ND204",
    title="a layer has a reserved name",
    cause='In "from", "input" means the network\'s input, so no layer can have this name.',
    fix="Give the layer another name.",
    at="/layers/0/name",
    wrong='"input"',
    right='"hidden"',
)
