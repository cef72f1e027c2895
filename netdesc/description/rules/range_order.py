"""Checks that the ends of a range are in order and not too far apart (ND216)."""

from __future__ import annotations

import math
from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.models import Arrays
from netdesc.description.rules.rule import Context, RuleDiagnostic
from netdesc.description.source_map import RelatedPath


def check(context: Context) -> Iterator[RuleDiagnostic]:
    for each in context.neuron_parameters():
        match each.value:
            case (low, high) if low > high:
                message = f"the range of {each.name} goes from {low:g} down to {high:g}"
                related = (RelatedPath((*each.parts, 1), "the high end"),)
                hint = f"write [{high:g}, {low:g}]"
                yield RuleDiagnostic((*each.parts, 0), message, hint=hint, related=related)
            case _:
                pass
    data = context.document.data
    if isinstance(data, Arrays) and math.isinf(data.range[1] - data.range[0]):
        # If the width of the range is infinite, every value is encoded as 0, so no input spikes.
        low, high = data.range
        message = f"data.range goes from {low:g} to {high:g}, too far apart for a 64-bit float"
        yield RuleDiagnostic(
            ("data", "range"), message, hint="write the smallest and the largest value"
        )


ENTRY = Entry(
    code="ND216",
    title="a range with its ends swapped or too far apart",
    cause=(
        "A range is [low, high]. low must not be larger than high, and high - low must fit into "
        "a 64-bit float, so it must be less than 1.8e308."
    ),
    fix="Swap the two ends, or write the smallest and the largest value of data into data.range.",
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
