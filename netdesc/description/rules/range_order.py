"""A range whose ends are the wrong way round, or too far apart."""

from __future__ import annotations

import math
from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.models import Arrays
from netdesc.description.rules.rule import Context, Finding
from netdesc.description.source_map import RelatedPath


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
                high = RelatedPath((*parts, name, 1), "the high end")
                yield Finding((*parts, name, 0), message, hint=hint, related=(high,))
    data = context.document.data
    if isinstance(data, Arrays) and math.isinf(data.range[1] - data.range[0]):
        # Each value would be at 0 of an infinite width, so that no input would ever spike.
        low, high = data.range
        message = f"data.range goes from {low:g} to {high:g}, wider than any number"
        yield Finding(("data", "range"), message, hint="give it the ends that the values have")


ENTRY = Entry(
    code="ND216",
    title="a range whose low end is above its high end, or too far from it",
    cause=(
        "A range is [low, high], and the difference is a number that 8 bytes hold, less than "
        "1.8e308."
    ),
    fix="Swap the two, or give data.range the ends that the values have.",
    at="/neurons/cuba",
    wrong=(
        '{"type": "cuba", "threshold": 1, "current_decay": 1, "voltage_decay": [0.2, 0.1],\n'
        ' "per_channel": true}'
    ),
    right=(
        '{"type": "cuba", "threshold": 1, "current_decay": 1, "voltage_decay": [0.1, 0.2],\n'
        ' "per_channel": true}'
    ),
)
