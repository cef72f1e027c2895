"""A range whose ends are the wrong way round."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.entry import Entry
from netdesc.description.rules.rule import Context, Finding, Rule


def check(context: Context) -> Iterator[Finding]:
    for parts, neuron in context.neurons():
        decays = {
            "current_decay": neuron.current_decay,
            "voltage_decay": neuron.voltage_decay,
        }
        for name, decay in decays.items():
            if isinstance(decay, tuple) and decay[0] > decay[1]:
                message = f"the range of {name} goes from {decay[0]:g} down to {decay[1]:g}"
                hint = f"write [{decay[1]:g}, {decay[0]:g}]"
                yield Finding((*parts, name, 0), message, hint=hint)


RULE = Rule(
    entry=Entry(
        code="ND216",
        title="a range whose low end is above its high end",
        cause="A range is [low, high].",
        fix="Swap the two.",
        at="/neurons/cuba",
        wrong=(
            '{"type": "cuba", "threshold": 1, "current_decay": 1, "voltage_decay": [0.2, 0.1],\n'
            ' "per_channel": true}'
        ),
        right=(
            '{"type": "cuba", "threshold": 1, "current_decay": 1, "voltage_decay": [0.1, 0.2],\n'
            ' "per_channel": true}'
        ),
    ),
    severity="error",
    check=check,
)
