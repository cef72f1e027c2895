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
            related: tuple[RelatedPath, ...] = ()
            for shape in problem.shapes:
                message += f", and its input has the shape {list(shape)}"
                related = shapes.shape_locations(document, source, shape)
            notes = (f"shapes: {trace} → {layer.name} {layer.type}",)
            yield Issue(("layers", problem.layer, error.field), message, error.hint, related, notes)


@rule("ND208")
def sum_of_shapes(context: Context) -> Found:
    for problem in context.wiring.problems:
        if problem.kind == "sum":
            document, wiring = context.document, context.wiring
            name = document.layers[problem.layer].name
            first, other = problem.shapes
            message = f'layer "{name}" adds "{problem.source}" of shape {list(other)} to the shape '
            message += f"{list(first)}"
            related, notes = list[RelatedPath](), list[str]()
            for source, shape in ((problem.first, first), (problem.source, other)):
                related += shapes.shape_locations(document, source, shape)
                if source != shapes.INPUT:  # a related place shows the input's shape
                    notes.append(f"shapes: {shapes.trace_source(document, wiring, source)}")
            yield Issue(problem.parts, message, related=tuple(related), notes=tuple(notes))


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
            message = f'layer "{layer.name}" has {synapses:,} weights; at most {MAX_SYNAPSES:,} '
            message += "are possible"
            related = shapes.shape_locations(document, wiring.sources[index][0], shape)
            notes = (f"shapes: {shapes.trace_shape(document, wiring, index)}",)
            place = ("layers", index, layer.size_field or "name")
            yield Issue(place, message, related=related, notes=notes)


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
        name, shape = document.layers[index].name, outputs[index]
        if loss.is_by_step and steps[0] != steps[1]:
            message = f'layer "{name}" has {steps[0]} steps a sample, and the last layer {steps[1]}'
            yield Issue((*parts, "from"), message)
        if shape != outputs[-1]:
            message = f'{loss.type} reads layer "{name}" of shape {list(shape or ())}; labels and '
            message += f"targets fit the last layer, of shape {list(outputs[-1] or ())}"
            hint = f'add a layer that reads "{name}" and has the shape of the last one'
            related = shapes.shape_locations(document, name, shape)
            related += shapes.output_locations(document)
            yield Issue((*parts, "from"), message, hint, related)
