from netdesc.description.json.tree import Parts
from netdesc.description.rules.rule import Context, Found, RuleDiagnostic, rule
from netdesc.description.spelling import did_you_mean
from netdesc.neurons.compile import names_without_gradient
from netdesc.neurons.models import NeuronSection
from netdesc.neurons.usage import names_behind, names_in


@rule(
    "ND239",
    "a parameter that cannot be learnt",
    at="/neurons/cuba",
    wrong='{"type": "sigma_delta", "threshold": 0.1, "learn": ["threshold"]}',
    right='{"type": "sigma_delta", "threshold": 0.1}',
    data="labels",
)
def check(context: Context) -> Found:
    """learn names a parameter that the neuron does not have, or that has no gradient: a real number
    of equations, a threshold of differences, or the decay of a state that the reset does without.
    No gradient passes through stop(…), the value of straight_through(…) and comparisons, except the
    first of spike. A parameter that only resets read, such as threshold_step, has a gradient with
    "reset_gradient": "exact" alone.

    Leave the name out, or let gradients pass through resets ("reset_gradient": "exact").
    """
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


def _check_gradients(parts: Parts, neuron: NeuronSection) -> Found:
    """Yields a diagnostic for each learnt parameter whose gradient is always 0."""
    if not neuron.learn:
        return
    definition = neuron.definition()
    idle, idle_if_exact = names_without_gradient(definition)
    results = names_in(definition.spike or "", definition.output or "")
    live = names_behind(results, (*definition.step, *definition.reset))
    for index, name in enumerate(neuron.learn):
        if name in idle and name in neuron.learnable():
            reason, hint = "nothing that is handed on depends on it", "leave it out"
            if name in live:
                reason = (
                    "none passes through stop(…), the value of straight_through(…), a product with "
                    "0, or a comparison other than the first of spike"
                )
            if name not in idle_if_exact:
                reason = "only resets read it, and gradients pass as if there were no resets"
                hint = 'add "reset_gradient": "exact", or leave it out'
            message = f'"{name}" has no gradient: {reason}'
            yield RuleDiagnostic((*parts, "learn", index), message, hint=hint)
