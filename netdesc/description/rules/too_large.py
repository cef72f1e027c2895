"""A network too large for one tensor."""

from __future__ import annotations

import math
from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.models import Dense
from netdesc.description.rules.rule import Context, Finding
from netdesc.description.shape_trace import shape_locations, trace_shape

MAX_INPUTS = 1 << 24
MAX_SYNAPSES = 1 << 31


def check(context: Context) -> Iterator[Finding]:
    document, wiring = context.document, context.wiring
    inputs = math.prod(document.input.shape)
    if inputs > MAX_INPUTS:
        yield Finding(
            ("input", "shape"), f"the input has {inputs:,} neurons; {MAX_INPUTS:,} is the most"
        )
    for index, layer in enumerate(document.layers):
        shape = wiring.inputs[index]
        if not isinstance(layer, Dense) or shape is None:
            continue
        synapses = math.prod(shape) * layer.units
        if synapses > MAX_SYNAPSES:
            yield Finding(
                ("layers", index, "units"),
                f'layer "{layer.name}" has {synapses:,} synapses; {MAX_SYNAPSES:,} is the most',
                notes=(f"shapes: {trace_shape(document, wiring, index)}",),
                related=shape_locations(document, wiring.sources[index][0], shape),
            )


ENTRY = Entry(
    code="ND225",
    title="a layer with too many synapses",
    cause=(
        "A layer's weights, or the network's input, have more numbers than netdesc puts into "
        "one tensor (2^31 weights, 2^24 inputs)."
    ),
    fix="Use fewer units.",
    at="/layers",
    wrong=(
        '[{"name": "hidden", "type": "dense", "units": 65536, "neuron": "cuba"},\n'
        ' {"name": "output", "type": "dense", "units": 65536, "neuron": "cuba",\n'
        '  "weight_scale": 8}]'
    ),
    right=(
        '[{"name": "hidden", "type": "dense", "units": 8192, "neuron": "cuba"},\n'
        ' {"name": "output", "type": "dense", "units": 8192, "neuron": "cuba",\n'
        '  "weight_scale": 8}]'
    ),
)
