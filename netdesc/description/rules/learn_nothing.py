"""Reports names in ``learn`` that the neuron cannot learn (ND239)."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.rules.rule import Context, RuleDiagnostic
from netdesc.description.spelling import did_you_mean


def check(context: Context) -> Iterator[RuleDiagnostic]:
    for parts, neuron in context.neurons():
        known = list(neuron.learnable())
        for index, name in enumerate(neuron.learn):
            if name not in known:
                listed = f"it can learn {', '.join(known)}" if known else "it can learn nothing"
                yield RuleDiagnostic(
                    (*parts, "learn", index),
                    f'this neuron cannot learn "{name}"',
                    hint=did_you_mean(name, known) or listed,
                )


ENTRY = Entry(
    code="ND239",
    title="a parameter that cannot be learnt",
    cause=(
        "learn names a parameter that the neuron does not have, or that has no gradient: a real "
        "number of equations, a threshold of differences, or the decay of a state that the reset "
        "does without."
    ),
    fix="Leave the name out.",
    at="/neurons/cuba",
    wrong='{"type": "sigma_delta", "threshold": 0.1, "learn": ["threshold"]}',
    right='{"type": "sigma_delta", "threshold": 0.1}',
    is_labelled=True,
    neuron="sigma_delta",
)
