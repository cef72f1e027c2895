"""Warns about each neuron of ``neurons`` that no layer uses (ND202)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.rules.rule import Context, RuleDiagnostic
from netdesc.description.spelling import closest_name

MAX_UNKNOWN_NAMES = 100
"""At most this many unknown names are compared with the names of neurons."""


def check(context: Context) -> Iterator[RuleDiagnostic]:
    layers = [layer for _, layer in context.neuron_layers()]
    if not layers:
        return  # ND210 reports a network without such layers
    neurons = context.document.neurons
    used = {layer.neuron for layer in layers if isinstance(layer.neuron, str)}
    # A misspelt name may mean these neurons: ND201 suggests them.
    meant = {
        closest_name(name, neurons)
        for name in itertools.islice(used - neurons.keys(), MAX_UNKNOWN_NAMES)
    }
    for name in neurons:
        if name not in used and name not in meant:
            yield RuleDiagnostic(("neurons", name), f'no layer uses the neuron "{name}"', on="key")


ENTRY = Entry(
    code="ND202",
    title="a neuron that no layer uses",
    cause=(
        'No layer names this neuron of "neurons". Often a layer should use it, but names another '
        "one."
    ),
    fix="Name it in a layer, or remove it.",
    at="/neurons",
    wrong=(
        '{"cuba": {"type": "cuba", "threshold": 1, "current_decay": 1, "voltage_decay": 0.1},\n'
        ' "slow": {"type": "cuba", "threshold": 1, "current_decay": 1,\n'
        ' "voltage_decay": 0.01}}'
    ),
    right=('{"cuba": {"type": "cuba", "threshold": 1, "current_decay": 1, "voltage_decay": 0.1}}'),
    severity="warning",
)
