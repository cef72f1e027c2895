"""Checks that the layers in every ``from`` exist (ND205)."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.rules.rule import Context, RuleDiagnostic
from netdesc.description.shapes import INPUT
from netdesc.description.spelling import allowed_note, did_you_mean


def check(context: Context) -> Iterator[RuleDiagnostic]:
    layers = context.document.layers
    for problem in context.wiring.problems:
        if problem.kind == "unknown":
            earlier = [INPUT, *(layer.name for layer in layers[: problem.layer])]
            yield RuleDiagnostic(
                problem.parts,
                f'layer "{layers[problem.layer].name}" reads "{problem.source}", which is '
                "not a layer",
                hint=did_you_mean(problem.source, earlier),
                notes=(allowed_note(sorted(earlier)),),
                meant=problem.correction,
            )


ENTRY = Entry(
    code="ND205",
    title='"from" names a layer that does not exist',
    cause='A layer\'s "from" names a layer that is not in "layers".',
    fix='Correct the name. The network\'s own input is called "input".',
    at="/layers/1",
    wrong='{"name": "output", "type": "dense", "units": 2, "neuron": "cuba", "from": "hiden"}',
    right='{"name": "output", "type": "dense", "units": 2, "neuron": "cuba", "from": "hidden"}',
)
