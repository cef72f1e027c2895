"""Checks that no threshold becomes zero on the device (ND211)."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.rules.rule import Context, RuleDiagnostic


def check(context: Context) -> Iterator[RuleDiagnostic]:
    for parts, neuron in context.neurons():
        if int(64 * neuron.threshold) == 0:
            yield RuleDiagnostic(
                (*parts, "threshold"),
                f"the threshold {neuron.threshold:g} becomes trunc(64·threshold) = 0 on the device",
                hint="use at least 0.015625",
            )


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
