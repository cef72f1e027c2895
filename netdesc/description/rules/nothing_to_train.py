from netdesc.description.rules.empty_group import trained_kinds
from netdesc.description.rules.rule import Context, Found, RuleDiagnostic, rule


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
    elif not any(any(trained_kinds(layer, context.neuron_of(layer))) for layer in layers):
        message = "the weights of all layers are fixed, so there is nothing to train"
        hint = 'leave "trainable": false out of a layer'
        yield RuleDiagnostic(("layers",), message, hint=hint)
