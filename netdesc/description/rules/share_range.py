"""Checks that the decays and factors of equations are within their range (ND242)."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.rules.rule import Context, RuleDiagnostic
from netdesc.neurons.definition import ParameterKind

RANGES: dict[ParameterKind, tuple[int, int]] = {"decay": (0, 1), "factor": (-1, 1)}


def check(context: Context) -> Iterator[RuleDiagnostic]:
    for each in context.neuron_parameters():
        for parts, end in each.ends if each.kind in RANGES else ():
            low, high = RANGES[each.kind]
            if not low <= end <= high:
                message = f"the {each.kind} {end:g} is not between {low} and {high}"
                yield RuleDiagnostic(parts, message)


ENTRY = Entry(
    code="ND242",
    title="a decay or factor out of its range",
    cause=(
        "A decay is the share of a state that is lost in a step, from 0 to 1. A factor is what a "
        "state is multiplied by, from -1 to 1."
    ),
    fix="Write a number in the range.",
    at="/neurons/cuba",
    wrong=(
        '{"type": "equations", "parameters": {"leak": {"kind": "decay", "value": 1.5}},\n'
        ' "step": ["v = decay(v, leak) + x"], "output": "v"}'
    ),
    right=(
        '{"type": "equations", "parameters": {"leak": {"kind": "decay", "value": 0.5}},\n'
        ' "step": ["v = decay(v, leak) + x"], "output": "v"}'
    ),
    is_labelled=True,
    neuron="equations",
)
