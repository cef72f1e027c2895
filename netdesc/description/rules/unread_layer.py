"""A layer whose output goes nowhere."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.rules.rule import Context, Finding
from netdesc.description.source_map import RelatedPath

_OF_SOURCES = ("unknown", "later", "itself")


def check(context: Context) -> Iterator[Finding]:
    if any(problem.kind in _OF_SOURCES for problem in context.wiring.problems):
        return  # what a wrong "from" means to read may be the layer
    read = {source for sources in context.wiring.sources for source in sources}
    for index, layer in enumerate(context.document.layers[:-1]):
        if layer.name not in read:
            yield Finding(
                ("layers", index, "name"),
                f'nothing reads the layer "{layer.name}"',
                related=(RelatedPath(("layers", index + 1, "from"), "the next layer reads this"),),
            )


ENTRY = Entry(
    code="ND214",
    title="nothing reads a layer's output",
    cause=(
        "Only the last layer is the network's output. The output of this layer goes nowhere, "
        "so that it costs time and learns nothing."
    ),
    fix='Read it in another layer\'s "from", or take the layer out.',
    at="/layers/1",
    wrong='{"name": "output", "type": "dense", "units": 2, "neuron": "cuba", "from": "input"}',
    right='{"name": "output", "type": "dense", "units": 2, "neuron": "cuba", "from": "hidden"}',
    severity="warning",
)
