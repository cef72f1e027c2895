from netdesc.description.rules.rule import Context, Found, RuleDiagnostic, rule


@rule(
    "ND283",
    "no loss reads the last layer",
    at="/loss",
    wrong='{"type": "spike_time", "time_constant_ms": 2, "from": "hidden"}',
    right='{"type": "spike_time", "time_constant_ms": 2}',
)
def check(context: Context) -> Found:
    """The last layer is the output of the network, and classes follow from it. Every loss names
    another layer in "from", so that the last one learns nothing.

    Add a loss of the last layer to the list, or remove the layers behind those that losses read.
    """
    last = len(context.document.layers) - 1
    found = [(parts, context.layer_of(loss)) for parts, loss in context.losses()]
    if all(index not in (last, None) for _, index in found):
        name = context.document.layers[last].name
        message = f'no loss reads the last layer "{name}", the output of the network'
        yield RuleDiagnostic((*found[0][0], "from"), message, hint="write null")
