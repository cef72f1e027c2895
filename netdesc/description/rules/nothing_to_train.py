from netdesc.description.models.layers import SynapticSection
from netdesc.description.rules.rule import Context, Found, RuleDiagnostic, rule
from netdesc.neurons.models import NeuronSection


@rule(
    "ND210",
    "the network has nothing to train",
    at="/layers",
    wrong='[{"name": "output", "type": "flatten"}]',
    right='[{"name": "output", "type": "dense", "units": 2, "neuron": "cuba"}]',
)
def check(context: Context) -> Found:
    """None of the layers has weights that are trained, or anything else to learn.

    Add a layer of type dense, or train its weights.
    """
    layers = [layer for _, layer in context.neuron_layers()]
    if not layers:
        yield RuleDiagnostic(("layers",), "no layer has weights, so there is nothing to train")
    elif not any(_learns(layer, context.neuron_of(layer)) for layer in layers):
        message = "the weights of all layers are fixed, so there is nothing to train"
        hint = 'leave "trainable": false out of a layer'
        yield RuleDiagnostic(("layers",), message, hint=hint)


def _learns(layer: SynapticSection, neuron: NeuronSection | None) -> bool:
    has_delay = layer.delay is not None and layer.delay.learn
    return layer.trainable or layer.learns_bias or has_delay or bool(neuron and neuron.learn)
