"""A layer reads a layer that there is not."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.rules.rule import Context, Finding
from netdesc.description.shapes import INPUT
from netdesc.description.spelling import allowed_note, did_you_mean


def check(context: Context) -> Iterator[Finding]:
    layers = context.document.layers
    for problem in context.wiring.problems:
        if problem.kind == "unknown":
            earlier = [INPUT, *(layer.name for layer in layers[: problem.layer])]
            yield Finding(
                problem.parts,
                f'layer "{layers[problem.layer].name}" reads "{problem.source}", which is no layer',
                hint=did_you_mean(problem.source, earlier),
                notes=(allowed_note(sorted(earlier)),),
                meant=problem.meant,
            )


ENTRY = Entry(
    code="ND205",
    title='"from" names a layer that does not exist',
    cause='A layer\'s "from" holds a name that no layer has.',
    fix='Correct the name. The network\'s own input is called "input".',
    at="/layers/1",
    wrong='{"name": "output", "type": "dense", "units": 2, "neuron": "cuba", "from": "hiden"}',
    right='{"name": "output", "type": "dense", "units": 2, "neuron": "cuba", "from": "hidden"}',
)
