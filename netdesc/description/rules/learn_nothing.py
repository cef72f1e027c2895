"""Reports names in ``learn`` that the neuron cannot learn (ND239)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from netdesc.description.codes.code import Entry
from netdesc.description.json.tree import Parts
from netdesc.description.rules.rule import Context, RuleDiagnostic
from netdesc.description.spelling import did_you_mean
from netdesc.neurons.compile import parameters_without_gradient
from netdesc.neurons.mistakes import EquationError
from netdesc.neurons.models import NeuronSection


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
        yield from _check_gradients(parts, neuron)


def _check_gradients(parts: Parts, neuron: NeuronSection) -> Iterator[RuleDiagnostic]:
    """Yields a diagnostic for each learnt parameter whose gradient is always 0."""
    if not neuron.learn:
        return
    definition = neuron.definition()
    try:
        idle = parameters_without_gradient(definition)
        idle_if_exact = parameters_without_gradient(replace(definition, has_exact_reset=True))
    except EquationError:
        return  # reported by ND238
    for index, name in enumerate(neuron.learn):
        if name in idle and name in neuron.learnable():
            reason, hint = "nothing that is handed on depends on it", "leave it out"
            if name not in idle_if_exact:
                reason = "only resets read it, and gradients pass as if there were no resets"
                hint = 'add "reset_gradient": "exact", or leave it out'
            message = f'"{name}" has no gradient: {reason}'
            yield RuleDiagnostic((*parts, "learn", index), message, hint=hint)


ENTRY = Entry(
    code="ND239",
    title="a parameter that cannot be learnt",
    cause=(
        "learn names a parameter that the neuron does not have, or that has no gradient: a real "
        "number of equations, a threshold of differences, or the decay of a state that the reset "
        "does without. A parameter that only resets read, such as threshold_step, has a gradient "
        'with "reset_gradient": "exact" alone.'
    ),
    fix='Leave the name out, or let gradients pass through resets ("reset_gradient": "exact").',
    at="/neurons/cuba",
    wrong='{"type": "sigma_delta", "threshold": 0.1, "learn": ["threshold"]}',
    right='{"type": "sigma_delta", "threshold": 0.1}',
    is_labelled=True,
    neuron="sigma_delta",
)
