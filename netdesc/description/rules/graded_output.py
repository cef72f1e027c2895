from netdesc.description.models import SpikeMax, SpikeTime
from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule


@rule(
    "ND243",
    "a loss of spikes for graded values",
    at="/neurons/cuba",
    wrong='{"type": "integrator"}',
    right='{"type": "lif", "threshold": 1, "voltage_decay": 0.1}',
)
def check(context: Context) -> Found:
    """An integrator, or a neuron with graded output, hands on numbers that can be negative.
    spike_time compares the times of spikes, and spike_max with the mode probability divides by a
    sum of counts. spike_rate, and spike_max with the mode softmax, read the mean of the numbers
    over the steps.

    Use spike_rate, or spike_max with "mode": "softmax"; or an output neuron that spikes.
    """
    loss, last = context.document.loss, len(context.document.layers) - 1
    layer = context.document.layers[last]
    neuron = context.neuron_of(layer)
    if neuron is None or neuron.equations().output is None:
        return
    reason = hint = ""
    if isinstance(loss, SpikeTime):
        reason = "spike_time compares spikes"
        hint = "use mean_squared_error, spike_rate or spike_max, or a neuron that sends spikes"
    elif isinstance(loss, SpikeMax) and loss.mode != "softmax":
        reason = f'spike_max with the mode "{loss.mode}" divides counts of spikes'
        hint = 'use the mode "softmax"'
    if reason:
        yield RuleDiagnostic(
            ("loss", "type"),
            f'{reason}, and the output layer "{layer.name}" hands on graded values',
            hint=hint,
            related=(RelatedPath(("layers", last, "neuron"), "hands on graded values"),),
        )
