from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule


@rule(
    "ND215",
    "a range of a parameter without per_channel",
    at="/neurons/cuba",
    wrong='{"type": "lif", "threshold": 1, "voltage_decay": [0.1, 0.2]}',
    right='{"type": "lif", "threshold": 1, "voltage_decay": [0.1, 0.2], "per_channel": true}',
)
def check(context: Context) -> Found:
    """A parameter of the form [low, high] gives every neuron its own value. Without per_channel,
    the neurons of a layer share one value.

    Set "per_channel": true, or write one number.
    """
    for each in context.neuron_parameters():
        if isinstance(each.value, tuple) and not each.neuron.per_channel:
            yield RuleDiagnostic(
                each.parts,
                f"{each.name} is a range, but the layer's neurons share one value",
                hint='add "per_channel": true',
                related=(RelatedPath((*each.neuron_parts, "per_channel"), "one value for all"),),
            )
