from netdesc.description.rules.rule import Context, Found, RuleDiagnostic, rule


@rule(
    "ND261",
    "neurons that cannot compete",
    at="/layers/0",
    wrong='{"name": "a", "type": "winner_take_all", "units": 8, "winners": 9, "neuron": "cuba"}',
    right='{"name": "a", "type": "winner_take_all", "units": 8, "winners": 2, "neuron": "cuba"}',
)
def check(context: Context) -> Found:
    """In a winner_take_all layer, neurons that spike inhibit the others, and the number of winners
    is set by a current of threshold·(units − 2·winners)/units.

    Use at most as many winners as there are units, and neurons that have one input and spike at a
    parameter named threshold.
    """
    for index, layer in context.neuron_layers():
        if layer.drive_share is None:
            continue
        if layer.drive_share < -1:
            message = f'layer "{layer.name}" has more winners than units'
            yield RuleDiagnostic(("layers", index, "winners"), message, hint="use fewer winners")
        neuron = context.neuron_of(layer)
        if neuron is None:
            continue
        competes = neuron.equations().spike is not None and "threshold" in neuron.values()
        if not competes or len(neuron.definition().inputs) > 1:
            yield RuleDiagnostic(
                ("layers", index, "neuron"),
                f'layer "{layer.name}" needs neurons of one input that spike at a "threshold"',
                hint='use neurons such as "cuba", or a layer of type "recurrent"',
            )
