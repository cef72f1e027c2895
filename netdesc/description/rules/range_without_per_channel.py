"""Checks that a parameter is a range only if each neuron has its own value (ND215)."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.rules.rule import Context, RuleDiagnostic
from netdesc.description.source_map import RelatedPath


def check(context: Context) -> Iterator[RuleDiagnostic]:
    for each in context.neuron_parameters():
        if isinstance(each.value, tuple) and not each.neuron.per_channel:
            yield RuleDiagnostic(
                each.parts,
                f"{each.name} is a range, but the layer's neurons share one value",
                hint='add "per_channel": true',
                related=(RelatedPath((*each.neuron_parts, "per_channel"), "one value for all"),),
            )


ENTRY = Entry(
    code="ND215",
    title="a range of a parameter without per_channel",
    cause=(
        "A parameter of the form [low, high] gives every neuron its own value. Without "
        "per_channel, the neurons of a layer share one value."
    ),
    fix='Set "per_channel": true, or write one number.',
    at="/neurons/cuba",
    wrong='{"type": "cuba", "threshold": 1, "current_decay": 1, "voltage_decay": [0.1, 0.2]}',
    right=(
        '{"type": "cuba", "threshold": 1, "current_decay": 1, "voltage_decay": [0.1, 0.2],\n'
        ' "per_channel": true}'
    ),
)
