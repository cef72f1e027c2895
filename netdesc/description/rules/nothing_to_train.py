"""A network without a layer that can learn."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.models import Dense
from netdesc.description.rules.rule import Context, Finding


def check(context: Context) -> Iterator[Finding]:
    if not any(isinstance(layer, Dense) for layer in context.document.layers):
        yield Finding(("layers",), "no layer has weights: there is nothing to train")


ENTRY = Entry(
    code="ND210",
    title="the network has nothing to train",
    cause="None of the layers has weights.",
    fix="Add a layer of type dense.",
    at="/layers",
    wrong='[{"name": "output", "type": "flatten"}]',
    right='[{"name": "output", "type": "dense", "units": 2, "neuron": "cuba"}]',
)
