import itertools

from netdesc.description.rules.rule import Context, Found, RuleDiagnostic, rule
from netdesc.description.spelling import closest_name

MAX_UNKNOWN_NAMES = 100
"""At most this many unknown names are compared with the names of neurons."""


@rule(
    "ND202",
    "a neuron that no layer uses",
    at="/neurons",
    wrong=(
        '{"cuba": {"type": "lif", "threshold": 1, "voltage_decay": 0.1},\n'
        ' "slow": {"type": "lif", "threshold": 1, "voltage_decay": 0.01}}'
    ),
    right='{"cuba": {"type": "lif", "threshold": 1, "voltage_decay": 0.1}}',
    severity="warning",
)
def check(context: Context) -> Found:
    """No layer names this neuron of "neurons". Often a layer should use it, but names another one.

    Name it in a layer, or remove it.
    """
    layers = [layer for _, layer in context.neuron_layers()]
    if not layers:
        return  # ND210 reports a network without such layers
    neurons = context.document.neurons
    used = {layer.neuron for layer in layers if isinstance(layer.neuron, str)}
    # A misspelt name may mean these neurons: ND201 suggests them.
    meant = {
        closest_name(name, neurons)
        for name in itertools.islice(used - neurons.keys(), MAX_UNKNOWN_NAMES)
    }
    for name in neurons:
        if name not in used and name not in meant:
            yield RuleDiagnostic(("neurons", name), f'no layer uses the neuron "{name}"', on="key")
