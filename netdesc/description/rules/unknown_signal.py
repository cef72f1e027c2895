from netdesc.description.models.loss import OUTPUT
from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule
from netdesc.description.spelling import allowed_note, certain_name, did_you_mean


@rule(
    "ND281",
    "a loss reads a state that does not exist",
    at="/loss",
    wrong='{"type": "cross_entropy", "signal": "w", "over": "max"}',
    right='{"type": "cross_entropy", "signal": "v", "over": "max"}',
    data="labels",
)
def check(context: Context) -> Found:
    """ "signal" is "output", or the name of a state in the equations of the layer's neurons.

    Name one of the states that the message lists; netdesc show prints the equations.
    """
    for parts, loss in context.losses():
        index, signal = context.layer_of(loss), loss.signal
        if index is None or signal == OUTPUT:
            continue
        layer = context.document.layers[index]
        neuron = context.neuron_of(layer)
        if neuron is None and isinstance(layer.neuron, str):
            continue  # the neuron is not known
        known = [OUTPUT, *(() if neuron is None else neuron.definition().states)]
        if signal not in known:
            yield RuleDiagnostic(
                (*parts, "signal"),
                f'the neurons of layer "{layer.name}" have no state "{signal}"'
                if neuron is not None
                else f'layer "{layer.name}" has no neurons, so it has no states',
                hint=did_you_mean(signal, known),
                notes=(allowed_note(known),),
                meant=certain_name(signal, known),
                related=(RelatedPath(("layers", index, "name"), "the layer"),),
            )
