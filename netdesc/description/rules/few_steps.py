from netdesc.description.delays import delay_steps, describe_late_output, output_delay
from netdesc.description.rules.rule import Context, Found, RuleDiagnostic, rule


@rule(
    "ND245",
    "a sample ends before its spikes reach the output",
    at="/time/steps",
    wrong="1",
    right="100",
    severity="warning",
    data="labels",
)
def check(context: Context) -> Found:
    """Each layer with axonal_delay_step, which is the default, delays its spikes by one step, and
    delay adds further steps. On the way with the fewest delays, a spike of the first step reaches
    the output only after the last step, so the output does not depend on the input, and nothing
    is learned.

    Use more time.steps, shorter delays, or set "axonal_delay_step": false in layers.
    """
    document, wiring = context.document, context.wiring
    if wiring.problems:
        return  # a wrong "from" may be the reason
    delay = output_delay(
        (layer.name, delay_steps(layer, context.neuron_of(layer)) + layer.own_delay, sources)
        for layer, sources in zip(document.layers, wiring.sources, strict=True)
    )
    message = describe_late_output(delay, document.time.steps)
    if message is not None:
        hint = f'write at least {delay + 1}, or "axonal_delay_step": false in layers'
        yield RuleDiagnostic(("time", "steps"), message, hint=hint)
