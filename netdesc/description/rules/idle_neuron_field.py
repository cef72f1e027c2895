"""Reports fields of a neuron that have no effect beside its other fields (ND240)."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.rules.rule import Context, RuleDiagnostic


def check(context: Context) -> Iterator[RuleDiagnostic]:
    for parts, neuron in context.neurons():
        for name, reason in neuron.idle_fields().items():
            message = f"{name} has no effect: {reason}"
            yield RuleDiagnostic((*parts, name), message, hint="leave it out", on="key")


ENTRY = Entry(
    code="ND240",
    title="a field of a neuron that has no effect",
    cause=(
        "A neuron without spikes has no surrogate gradient, no reset and no graded spikes. "
        "surrogate stands in place of tau_grad and scale_grad. A norm acts where equations have "
        "norm(…), and only the reset of refractory neurons has a refractory_decay."
    ),
    fix="Leave the field out.",
    at="/neurons/cuba",
    wrong='{"type": "rf", "threshold": 1, "period": 10, "decay": 0.1, "norm": "mean"}',
    right='{"type": "rf", "threshold": 1, "period": 10, "decay": 0.1}',
    neuron="rf",
)
