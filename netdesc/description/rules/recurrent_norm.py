from netdesc.description.json.tree import Parts
from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule


@rule(
    "ND260",
    "a norm in a recurrent layer",
    at="/layers/0",
    wrong='{"name": "hidden", "type": "recurrent", "units": 32,\n'
    ' "neuron": {"type": "lif", "threshold": 1, "voltage_decay": 0.1, "norm": "mean"}}',
    right='{"name": "hidden", "type": "recurrent", "units": 32,\n'
    ' "neuron": {"type": "lif", "threshold": 1, "voltage_decay": 0.1}}',
)
def check(context: Context) -> Found:
    """A norm subtracts the mean over all steps of a batch. In a recurrent layer, what arrives in a
    step depends on the spikes of the step before, so that the mean is not known in time.

    Set norm to null in the neuron of a recurrent or winner_take_all layer.
    """
    for index, layer in context.neuron_layers():
        neuron = context.neuron_of(layer)
        if layer.feeds_back and neuron is not None and neuron.norm:
            parts: Parts = ("layers", index, "neuron")
            if isinstance(layer.neuron, str):
                parts = ("neurons", layer.neuron)
            yield RuleDiagnostic(
                (*parts, "norm"),
                f'layer "{layer.name}" is {layer.type_name()}, and its neurons cannot have a norm',
                hint='set "norm" to null, or use a dense layer',
                related=(RelatedPath(("layers", index), "reads its own spikes"),),
            )
