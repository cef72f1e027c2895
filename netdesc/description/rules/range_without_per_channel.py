"""Checks that a decay is a range only if each neuron has its own decay (ND215)."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.rules.rule import Context, RuleDiagnostic
from netdesc.description.source_map import RelatedPath


def check(context: Context) -> Iterator[RuleDiagnostic]:
    for parts, neuron in context.neurons():
        if neuron.per_channel:
            continue
        for name in ("current_decay", "voltage_decay"):
            if isinstance(getattr(neuron, name), tuple):
                message = f"{name} is a range, but the layer's neurons share one value"
                yield RuleDiagnostic(
                    (*parts, name),
                    message,
                    hint='add "per_channel": true',
                    related=(RelatedPath((*parts, "per_channel"), "one value for all"),),
                )


ENTRY = Entry(
    code="ND215",
    title="a range of decays without per_channel",
    cause=(
        "A decay of the form [low, high] gives every neuron its own value. Without per_channel, "
        "the neurons of a layer share one value."
    ),
    fix='Set "per_channel": true, or write one number.',
    at="/neurons/cuba",
    wrong='{"type": "cuba", "threshold": 1, "current_decay": 1, "voltage_decay": [0.1, 0.2]}',
    right=(
        '{"type": "cuba", "threshold": 1, "current_decay": 1, "voltage_decay": [0.1, 0.2],\n'
        ' "per_channel": true}'
    ),
)
