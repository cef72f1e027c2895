"""Checks that the input and the layers do not exceed the size limits (ND225)."""

from __future__ import annotations

import math
from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.rules.rule import Context, RuleDiagnostic
from netdesc.description.shape_trace import shape_locations, trace_shape

MAX_INPUTS = 1 << 24
MAX_SYNAPSES = 1 << 31


def check(context: Context) -> Iterator[RuleDiagnostic]:
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
        synapses = math.prod(shape) * layer.units
        if synapses > MAX_SYNAPSES:
            yield RuleDiagnostic(
                ("layers", index, "units"),
                f'layer "{layer.name}" has {synapses:,} synapses; at most {MAX_SYNAPSES:,} are '
                "possible",
                notes=(f"shapes: {trace_shape(document, wiring, index)}",),
                related=shape_locations(document, wiring.sources[index][0], shape),
            )


ENTRY = Entry(
    code="ND225",
    title="a layer or an input that is too large",
    cause=(
        "A layer can have at most 2^31 weights, and a network at most 2^24 inputs, because netdesc "
        "keeps each of them in one tensor."
    ),
    fix="Use fewer units, or a smaller input.",
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
