"""Rules about delays."""

from netdesc.description.diagnostics.wording import amount
from netdesc.description.models import Document
from netdesc.description.models.loss import OUTPUT
from netdesc.description.rules.rule import Context, Found, Issue, rule
from netdesc.description.shapes import INPUT, Wiring


@rule("ND245")
def few_steps(context: Context) -> Found:
    document, wiring = context.document, context.wiring
    if wiring.problems:
        return  # a wrong "from" may be the reason
    arrivals, steps = _arrival_steps(document, wiring), document.time.steps
    delays: list[tuple[int, int]] = []
    for _, loss, index in context.losses():
        if index is None:
            return  # a wrong "from" of the loss
        delay, decimation = arrivals[document.layers[index].name], wiring.decimations[index]
        if loss.signal != OUTPUT:
            delay -= _layer_delay(document, wiring, index)
        delays.append((delay // decimation * decimation, delay))
    silent, delay = min(delays)
    if silent >= steps:
        late, length = amount(delay, "step"), amount(steps, "step")
        message = f"no spike of the input reaches the output: the layers delay it by {late}, "
        message += f"and a sample has {length}"
        hint = f'write at least {silent + 1}, or "axonal_delay_step": false in layers'
        yield Issue(("time", "steps"), message, hint)


def _arrival_steps(document: Document, wiring: Wiring) -> dict[str, int]:
    """Returns by how many steps of the input the output of each layer comes later, by name. This is
    the sum of the delays on the path with the fewest. A source that is not known has none."""
    arrivals = {INPUT: 0}
    for index, (layer, sources) in enumerate(zip(document.layers, wiring.sources, strict=True)):
        before = min(arrivals.get(name, 0) for name in sources)
        arrivals[layer.name] = before + _layer_delay(document, wiring, index)
    return arrivals


def _layer_delay(document: Document, wiring: Wiring, index: int) -> int:
    """Returns the fewest steps of the input by which a layer hands on its output later."""
    layer = document.layers[index]
    steps = layer.axonal_steps(layer.neuron_of(document.neurons)) + layer.own_delay
    return steps * wiring.decimations[index]


@rule("ND249")
def unequal_delays(context: Context) -> Found:
    document, wiring = context.document, context.wiring
    if wiring.problems:
        return  # a wrong "from" may be the reason
    arrivals = _arrival_steps(document, wiring)
    for index, (layer, sources) in enumerate(zip(document.layers, wiring.sources, strict=True)):
        first, last = (pick(sources, key=lambda name: arrivals[name]) for pick in (min, max))
        if arrivals[first] != arrivals[last]:
            early, late = (amount(arrivals[name], "step") for name in (first, last))
            message = f'layer "{layer.name}" joins paths of different delays: "{first}" comes '
            message += f'after {early}, "{last}" after {late}'
            hint = 'write "axonal_delay_step": false in a layer of the longer path'
            yield Issue(("layers", index, "from"), message, hint)


@rule("ND250")
def delay_form(context: Context) -> Found:
    for index, layer in context.neuron_layers():
        delay, parts = layer.delay, ("layers", index, "delay")
        if delay is None:
            continue
        low, high = delay.initial_steps
        if delay.learn == (delay.steps is not None):
            both = "both fixed and learnt" if delay.learn else "neither fixed nor learnt"
            hint = 'write "steps", or "learn": true'
            yield Issue(parts, f"the delay is {both}", hint)
        elif delay.learn and not low <= high <= delay.max_steps:
            message = f"initial delays from {low:g} to {high:g} are not a range within max_steps"
            hint = f"write two steps from 0 to {delay.max_steps}, the lower one first"
            yield Issue((*parts, "initial_steps"), message, hint)
