from netdesc.description.rules.rule import Context, Found, RuleDiagnostic, rule
from netdesc.description.shape_trace import output_locations, shape_locations


@rule(
    "ND282",
    "losses read layers of different shapes",
    at="/loss",
    wrong='[{"type": "spike_max"}, {"type": "spike_max", "from": "hidden"}]',
    right='[{"type": "spike_max"}, {"type": "spike_max", "from": "output", "over": "max"}]',
    data="labels",
)
def check(context: Context) -> Found:
    """All losses compare what they read with the same labels or targets, which fit the last layer.
    A loss reads a layer of another shape.

    Let the loss read a layer of the shape of the last one: add such a layer behind the hidden one.
    """
    document, outputs = context.document, context.wiring.outputs
    if len(outputs) - 1 not in [context.layer_of(loss) for _, loss in context.losses()]:
        return  # ND283
    for parts, loss in context.losses():
        index = context.layer_of(loss)
        if index is None or None in (outputs[index], outputs[-1]):
            continue
        steps = context.wiring.steps[index], context.wiring.steps[-1]
        if loss.is_by_step and steps[0] != steps[1]:
            name = document.layers[index].name
            message = f'layer "{name}" has {steps[0]} steps a sample, and the last layer {steps[1]}'
            yield RuleDiagnostic((*parts, "from"), message)
        if outputs[index] != outputs[-1]:
            name, shape = document.layers[index].name, outputs[index]
            yield RuleDiagnostic(
                (*parts, "from"),
                f'{loss.type} reads layer "{name}" of shape {list(shape or ())}; labels and '
                f"targets fit the last layer, of shape {list(outputs[-1] or ())}",
                hint=f'add a layer that reads "{name}" and has the shape of the last one',
                related=(*shape_locations(document, name, shape), *output_locations(document)),
            )
