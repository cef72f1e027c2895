from netdesc.description.rules.rule import Context, Found, RuleDiagnostic, rule


@rule(
    "ND210",
    "the network has nothing to train",
    at="/layers",
    wrong='[{"name": "output", "type": "flatten"}]',
    right='[{"name": "output", "type": "dense", "units": 2, "neuron": "cuba"}]',
)
def check(context: Context) -> Found:
    """None of the layers has weights.

    Add a layer of type dense.
    """
    if not any(context.neuron_layers()):
        yield RuleDiagnostic(("layers",), "no layer has weights, so there is nothing to train")
