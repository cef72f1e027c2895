from netdesc.description.rules.rule import Context, Found, RuleDiagnostic, rule
from netdesc.description.spelling import allowed_note, certain_name, did_you_mean
from netdesc.description.synonyms import hint_for_neuron


@rule(
    "ND201",
    "a layer names a neuron that is not defined",
    at="/layers/0/neuron",
    wrong='"cubs"',
    right='"cuba"',
)
def check(context: Context) -> Found:
    """A layer names a neuron that is not in "neurons".

    Correct the name, add the neuron to "neurons", or write the neuron as an object in the layer.
    """
    known = context.document.neurons
    for index, layer in context.neuron_layers():
        if isinstance(layer.neuron, str) and layer.neuron not in known:
            yield RuleDiagnostic(
                ("layers", index, "neuron"),
                f'layer "{layer.name}" has the neuron "{layer.neuron}", which is not in neurons',
                hint=did_you_mean(layer.neuron, known) or hint_for_neuron(layer.neuron),
                notes=(allowed_note(sorted(known)),) if known else ("neurons is empty",),
                meant=certain_name(layer.neuron, known),
            )
