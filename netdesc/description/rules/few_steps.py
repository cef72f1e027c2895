from netdesc.description.delays import earliest_steps, layer_delay
from netdesc.description.diagnostics.wording import amount
from netdesc.description.models.loss import OUTPUT
from netdesc.description.rules.rule import Context, Found, RuleDiagnostic, rule


@rule(
    "ND245",
    "a sample ends before its spikes reach the output",
    at="/time/steps",
    wrong="1",
    right="100",
    data="labels",
)
def check(context: Context) -> Found:
    """Each layer with axonal_delay_step, which is the default, delays its spikes by one step, and
    delay adds further steps. On the way with the fewest delays, a spike of the first step reaches
    what the losses read only after the last step, so the output does not depend on the input, and
    nothing can be learned.

    Use more time.steps, shorter delays, or set "axonal_delay_step": false in layers.
    """
    document, wiring = context.document, context.wiring
    if wiring.problems:
        return  # a wrong "from" may be the reason
    earliest, arrivals = earliest_steps(document, wiring.sources), list[int]()
    for _, loss in context.losses():
        index = context.layer_of(loss)
        if index is None:
            return  # a wrong "from" of the loss
        layer = document.layers[index]
        reads_state = loss.signal != OUTPUT
        arrivals.append(earliest[layer.name] - (layer_delay(document, layer) if reads_state else 0))
    delay, steps = min(arrivals), document.time.steps
    if delay >= steps:
        message = (
            "no spike of the input reaches the output: the layers delay it by "
            f"{amount(delay, 'step')}, and a sample has {amount(steps, 'step')}"
        )
        hint = f'write at least {delay + 1}, or "axonal_delay_step": false in layers'
        yield RuleDiagnostic(("time", "steps"), message, hint=hint)
