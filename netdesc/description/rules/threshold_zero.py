"""Checks that no threshold becomes zero on the device (ND211)."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.rules.rule import Context, RuleDiagnostic


def check(context: Context) -> Iterator[RuleDiagnostic]:
    for each in context.neuron_parameters():
        if each.name != "threshold" or each.neuron.equations().spike is None:
            continue  # without spikes, a threshold of 0 hands on every difference
        for parts, end in each.ends:
            if int(64 * end) == 0:
                message = f"the threshold {end:g} becomes trunc(64·threshold) = 0 on the device"
                yield RuleDiagnostic(parts, message, hint="use at least 0.015625")


ENTRY = Entry(
    code="ND211",
    title="a threshold that becomes zero on the device",
    cause=(
        "The device stores trunc(64·threshold), and netdesc trains with that value. A threshold "
        "below 1/64 becomes 0, so every positive voltage would cause a spike."
    ),
    fix="Use a threshold of at least 1/64 = 0.015625.",
    at="/neurons/cuba/threshold",
    wrong="0.01",
    right="0.1",
)
