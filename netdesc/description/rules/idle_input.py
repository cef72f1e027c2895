from netdesc.description.models.loss import OUTPUT
from netdesc.description.rules.rule import Context, Found, RuleDiagnostic, rule
from netdesc.neurons.compile import names_without_gradient


@rule(
    "ND253",
    "an input of equations whose weights are not trained",
    at="/neurons/cuba",
    wrong='{"type": "equations", "step": ["v = where(x > 0, 1, 0)"], "output": "v"}',
    right='{"type": "equations", "step": ["v = max(x, 0)"], "output": "v"}',
    severity="warning",
    data="labels",
)
def check(context: Context) -> Found:
    """No gradient reaches the input, so that its weights stay as they begin. None passes through
    comparisons, except the first of spike, through stop(…) and the value of straight_through(…),
    and none through resets unless "reset_gradient" is "exact".

    Use the value of the input, as max(x, 0) does, in what spike or output reads.
    """
    of_state = {context.layer_of(loss) for _, loss in context.losses() if loss.signal != OUTPUT}
    for parts, neuron in context.neurons():
        is_trained = any(
            layer.trainable and index not in of_state and context.neuron_of(layer) is neuron
            for index, layer in context.neuron_layers()
        )
        if not neuron.has_own_equations or not is_trained:
            continue  # tests read the equations of the others
        definition = neuron.definition()
        idle, idle_if_exact = names_without_gradient(definition)
        for index, name in enumerate(definition.inputs):
            if name in idle:
                hint = 'add "reset_gradient": "exact"'
                if name in idle_if_exact:
                    hint = f"use its value, such as max({name}, 0), not only a condition or stop(…)"
                yield RuleDiagnostic(
                    (*parts, "inputs", index),
                    f'no gradient reaches the input "{name}": its weights are not trained',
                    hint=hint,
                )
