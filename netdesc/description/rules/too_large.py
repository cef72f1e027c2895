import math

from netdesc.description.rules.rule import Context, Found, RuleDiagnostic, rule
from netdesc.description.shape_trace import shape_locations, trace_shape

MAX_INPUTS = 1 << 24
MAX_SYNAPSES = 1 << 31


@rule(
    "ND225",
    "a layer or an input that is too large",
    at="/layers",
    wrong='[{"name": "a", "type": "recurrent", "units": 65536, "neuron": "cuba",\n'
    '  "weight_norm": true}]',
    right='[{"name": "a", "type": "recurrent", "units": 8192, "neuron": "cuba",\n'
    '  "weight_norm": true}]',
)
def check(context: Context) -> Found:
    """A layer can have at most 2^31 weights, and a network at most 2^24 inputs, because netdesc
    keeps each of them in one tensor.

    Use fewer units, or a smaller input.
    """
    document, wiring = context.document, context.wiring
    inputs = math.prod(document.input.shape)
    if inputs > MAX_INPUTS:
        yield RuleDiagnostic(
            ("input", "shape"),
            f"the input has {inputs:,} neurons; at most {MAX_INPUTS:,} are possible",
        )
    for index, layer in context.neuron_layers():
        shape = wiring.inputs[index]
        if shape is None:
            continue
        synapses = math.prod(layer.weight_shape(shape))
        if layer.feeds_back:
            synapses = max(synapses, math.prod(wiring.outputs[index] or ()) ** 2)
        if synapses > MAX_SYNAPSES:
            yield RuleDiagnostic(
                ("layers", index, layer.size_field or "name"),
                f'layer "{layer.name}" has {synapses:,} weights; at most {MAX_SYNAPSES:,} are '
                "possible",
                notes=(f"shapes: {trace_shape(document, wiring, index)}",),
                related=shape_locations(document, wiring.sources[index][0], shape),
            )
