"""Rules about the shapes and the sizes of layers."""

import math

from netdesc.description import shapes
from netdesc.description.rules.rule import Context, Found, Issue, RelatedPath, rule


@rule("ND207")
def layer_shape(context: Context) -> Found:
    for problem in context.wiring.problems:
        if problem.error is not None:
            document, wiring, error = context.document, context.wiring, problem.error
            layer, source = document.layers[problem.layer], wiring.sources[problem.layer][0]
            trace = shapes.trace_source(document, wiring, source)
            message = f'{layer.type} layer "{layer.name}" {error}'
            shape = problem.shapes[0] if problem.shapes else None
            if shape is not None:
                message += f", and its input has the shape {list(shape)}"
            related = () if shape is None else shapes.shape_locations(document, source, shape)
            notes = (f"shapes: {trace} → {layer.name} {layer.type}",)
            yield Issue(("layers", problem.layer, error.field), message, error.hint, related, notes)


@rule("ND208")
def sum_of_shapes(context: Context) -> Found:
    for problem in context.wiring.problems:
        if problem.kind == "sum":
            document, wiring = context.document, context.wiring
            name = document.layers[problem.layer].name
            first, other = problem.shapes
            yield Issue(
                problem.parts,
                f'layer "{name}" adds "{problem.source}" of shape {list(other)} to the shape '
                f"{list(first)}",
                notes=tuple(
                    f"shapes: {shapes.trace_source(document, wiring, source)}"
                    for source in (problem.first, problem.source)
                    if source != shapes.INPUT  # a related place shows the input's shape
                ),
                related=(
                    *shapes.shape_locations(document, problem.first, first),
                    *shapes.shape_locations(document, problem.source, other),
                ),
            )


MAX_INPUTS = 1 << 24
MAX_SYNAPSES = 1 << 31


@rule("ND225")
def too_large(context: Context) -> Found:
    document, wiring = context.document, context.wiring
    inputs = math.prod(document.input.shape)
    if inputs > MAX_INPUTS:
        message = f"the input has {inputs:,} neurons; at most {MAX_INPUTS:,} are possible"
        yield Issue(("input", "shape"), message)
    for index, layer in context.neuron_layers():
        shape = wiring.inputs[index]
        if shape is None:
            continue
        synapses = math.prod(layer.weight_shape(shape))
        if layer.feeds_back:
            synapses = max(synapses, math.prod(wiring.outputs[index] or ()) ** 2)
        if synapses > MAX_SYNAPSES:
            yield Issue(
                ("layers", index, layer.size_field or "name"),
                f'layer "{layer.name}" has {synapses:,} weights; at most {MAX_SYNAPSES:,} are '
                "possible",
                notes=(f"shapes: {shapes.trace_shape(document, wiring, index)}",),
                related=shapes.shape_locations(document, wiring.sources[index][0], shape),
            )


@rule("ND282")
def loss_list(context: Context) -> Found:
    (first_parts, first, _), *others = context.losses()
    for parts, loss, _ in others:
        if loss.reduction != first.reduction:
            message = f'{loss.type} has the reduction "{loss.reduction}", and {first.type} '
            message += f'"{first.reduction}"'
            hint = f'write "reduction": "{first.reduction}"'
            related = (RelatedPath((*first_parts, "reduction"), "of the first loss"),)
            yield Issue((*parts, "reduction"), message, hint, related)
    document, outputs = context.document, context.wiring.outputs
    if len(outputs) - 1 not in [index for *_, index in context.losses()]:
        return  # ND283
    for parts, loss, index in context.losses():
        if index is None or None in (outputs[index], outputs[-1]):
            continue
        steps = context.wiring.steps[index], context.wiring.steps[-1]
        if loss.is_by_step and steps[0] != steps[1]:
            name = document.layers[index].name
            message = f'layer "{name}" has {steps[0]} steps a sample, and the last layer {steps[1]}'
            yield Issue((*parts, "from"), message)
        if outputs[index] != outputs[-1]:
            name, shape = document.layers[index].name, outputs[index]
            yield Issue(
                (*parts, "from"),
                f'{loss.type} reads layer "{name}" of shape {list(shape or ())}; labels and '
                f"targets fit the last layer, of shape {list(outputs[-1] or ())}",
                hint=f'add a layer that reads "{name}" and has the shape of the last one',
                related=(
                    *shapes.shape_locations(document, name, shape),
                    *shapes.output_locations(document),
                ),
            )
