from netdesc.description.models.loss import OUTPUT
from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule


@rule(
    "ND243",
    "a loss of spikes for graded values",
    at="/neurons/cuba",
    wrong='{"type": "integrator"}',
    right='{"type": "lif", "threshold": 1, "voltage_decay": 0.1}',
)
def check(context: Context) -> Found:
    """An integrator, or a neuron with graded output, hands on numbers that can be negative, and so
    can be the states of neurons. spike_time compares the times of spikes, and spike_max with the
    mode probability divides by a sum of counts. The other losses read any numbers.

    Use cross_entropy, or spike_max with "mode": "softmax"; or an output neuron that spikes.
    """
    for parts, loss in context.losses():
        index = context.layer_of(loss)
        if index is None or loss.reason_for_spikes is None:
            continue
        layer, state = context.document.layers[index], loss.signal
        neuron = context.neuron_of(layer)
        if state == OUTPUT and (neuron is None or neuron.equations().output is None):
            continue
        read = f'the layer "{layer.name}" hands on graded values'
        if state != OUTPUT:
            read = f'the state "{state}" of the layer "{layer.name}" is not spikes'
        reason, hint = loss.reason_for_spikes
        yield RuleDiagnostic(
            (*parts, "type"),
            f"{reason}, and {read}",
            hint=hint,
            related=(RelatedPath(("layers", index, "neuron"), "no spikes"),),
        )
