"""Checks that a network has weights (ND210)."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.rules.rule import Context, RuleDiagnostic


def check(context: Context) -> Iterator[RuleDiagnostic]:
    if not any(context.neuron_layers()):
        yield RuleDiagnostic(("layers",), "no layer has weights, so there is nothing to train")


ENTRY = Entry(
    code="ND210",
    title="the network has nothing to train",
    cause="None of the layers has weights.",
    fix="Add a layer of type dense.",
    at="/layers",
    wrong='[{"name": "output", "type": "flatten"}]',
    right='[{"name": "output", "type": "dense", "units": 2, "neuron": "cuba"}]',
)
