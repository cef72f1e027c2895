from netdesc.description.rules.rule import Context, Found, RuleDiagnostic, rule
from netdesc.neurons.compile import compile_neuron
from netdesc.neurons.mistakes import EquationError
from netdesc.neurons.models import NeuronSection


@rule(
    "ND240",
    "a field of a neuron or of a layer that has no effect",
    at="/neurons/cuba",
    wrong='{"type": "rf", "threshold": 1, "period": 10, "decay": 0.1, "norm": "mean"}',
    right='{"type": "rf", "threshold": 1, "period": 10, "decay": 0.1}',
)
def check(context: Context) -> Found:
    """A neuron without spikes has no surrogate gradient, no reset and no graded spikes. surrogate
    stands in place of tau_grad and scale_grad. A norm, and the bias of a layer, act where
    equations have norm(…), and only the reset of refractory neurons has a refractory_decay. Layers
    whose neurons share their weights draw none, and have no mask.

    Leave the field out, or write norm(x) for x in own equations.
    """
    for parts, neuron in context.neurons():
        for name, reason in neuron.idle_fields().items():
            hint = _hint_without_norm(neuron) if name == "norm" else "leave it out"
            if hint:
                message = f"{name} has no effect: {reason}"
                yield RuleDiagnostic((*parts, name), message, hint=hint, on="key")
    for index, layer in context.neuron_layers():
        for name in layer.idle_fields:
            if getattr(layer, name) != type(layer).model_fields[name].default:
                message = f"{name} has no effect: neurons of this type of layer share their weights"
                parts = ("layers", index, name)
                yield RuleDiagnostic(parts, message, hint="leave it out", on="key")
        neuron = context.neuron_of(layer)
        if layer.learns_bias and neuron is not None and not neuron.has_norm:
            message = "bias has no effect: the equations of the neuron have no norm(…)"
            if hint := _hint_without_norm(neuron):
                yield RuleDiagnostic(("layers", index, "bias"), message, hint=hint, on="key")


def _hint_without_norm(neuron: NeuronSection) -> str:
    """Returns a hint for a field that needs norm(…); "" if the equations have mistakes."""
    if not neuron.has_own_equations:
        return "leave it out"
    definition = neuron.definition()
    try:
        compile_neuron(definition, learn=True)
    except EquationError:
        return ""  # reported by ND238
    name = definition.inputs[0]
    return f"leave it out, or write norm({name}) for {name} in step"
