"""A neuron that no layer uses."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.models import Dense
from netdesc.description.rules.rule import Context, Finding
from netdesc.description.spelling import closest_name

ASKED = 100
"""So many unknown names are looked at."""


def check(context: Context) -> Iterator[Finding]:
    if not any(isinstance(layer, Dense) for layer in context.document.layers):
        return  # no layer takes a neuron, which is another fault
    neurons = context.document.neurons
    used = {
        layer.neuron
        for layer in context.document.layers
        if isinstance(layer, Dense) and isinstance(layer.neuron, str)
    }
    # A misspelt name says of itself what it means.
    meant = {closest_name(name, neurons) for name in itertools.islice(used - neurons.keys(), ASKED)}
    for name in neurons:
        if name not in used and name not in meant:
            yield Finding(("neurons", name), f'no layer uses the neuron "{name}"', on="key")


ENTRY = Entry(
    code="ND202",
    title="a neuron that no layer uses",
    cause=(
        '"neurons" holds a neuron whose name stands in no layer. Often the layer means it and '
        "names another."
    ),
    fix="Use it, or take it out.",
    at="/neurons",
    wrong=(
        '{"cuba": {"type": "cuba", "threshold": 1, "current_decay": 1, "voltage_decay": 0.1},\n'
        ' "slow": {"type": "cuba", "threshold": 1, "current_decay": 1,\n'
        ' "voltage_decay": 0.01}}'
    ),
    right=('{"cuba": {"type": "cuba", "threshold": 1, "current_decay": 1, "voltage_decay": 0.1}}'),
    severity="warning",
)
