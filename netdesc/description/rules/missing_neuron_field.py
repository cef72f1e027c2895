import json

from netdesc.description.model_structure import example, fields
from netdesc.description.rules.rule import Context, Found, RuleDiagnostic, rule


@rule(
    "ND241",
    "a field that a neuron needs because of another field",
    at="/neurons/cuba",
    wrong='{"type": "equations", "step": ["v = v + x"], "spike": "v > 1"}',
    right='{"type": "equations", "step": ["v = v + x"], "spike": "v > 1", "surrogate": {}}',
)
def check(context: Context) -> Found:
    """The reset "refractory" of "alif" has a state that fades by refractory_decay, and the spike of
    "equations" needs a surrogate gradient.

    Add the field.
    """
    for parts, neuron in context.neurons():
        for name, reason in neuron.missing_fields().items():
            value = json.dumps(example(fields(type(neuron))[name]))
            message = f"{name} is missing: {reason}"
            yield RuleDiagnostic(parts, message, hint=f'add "{name}": {value}')
