"""Warns about each layer, except the last, whose output no other layer reads (ND214)."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.rules.rule import Context, RuleDiagnostic
from netdesc.description.source_map import RelatedPath

_SOURCE_PROBLEMS = ("unknown", "later", "itself")


def check(context: Context) -> Iterator[RuleDiagnostic]:
    if any(problem.kind in _SOURCE_PROBLEMS for problem in context.wiring.problems):
        return  # the wrong "from" may be a misspelt name of such a layer
    read = {source for sources in context.wiring.sources for source in sources}
    for index, layer in enumerate(context.document.layers[:-1]):
        if layer.name not in read:
            yield RuleDiagnostic(
                ("layers", index, "name"),
                f'no layer reads the output of layer "{layer.name}"',
                related=(RelatedPath(("layers", index + 1, "from"), "the next layer reads this"),),
            )


ENTRY = Entry(
    code="ND214",
    title="no layer reads a layer's output",
    cause=(
        "Only the last layer is the network's output. No other layer reads the output of this "
        "layer, so it costs time and learns nothing."
    ),
    fix='Name it in another layer\'s "from", or remove the layer.',
    at="/layers/1",
    wrong='{"name": "output", "type": "dense", "units": 2, "neuron": "cuba", "from": "input"}',
    right='{"name": "output", "type": "dense", "units": 2, "neuron": "cuba", "from": "hidden"}',
    severity="warning",
)
