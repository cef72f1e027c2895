"""A label that names no output neuron."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.rules.rule import Context, Finding
from netdesc.description.shape_trace import output_locations, trace_shape


def check(context: Context) -> Iterator[Finding]:
    classes = context.classes
    for parts, pair in context.pairs():
        if pair.label is not None and classes is not None and pair.label >= classes:
            outputs = f"{classes} outputs: 0 to {classes - 1}" if classes > 1 else "1 output: 0"
            message = f"there is no output {pair.label}; the network has {outputs}"
            way = trace_shape(context.document, context.wiring, len(context.document.layers) - 1)
            yield Finding(
                (*parts, "label"),
                message,
                notes=(f"shapes: {way}",),
                related=output_locations(context.document),
            )


ENTRY = Entry(
    code="ND229",
    title="a label beyond the outputs",
    cause="A label is the number of an output neuron, from 0. The last layer has fewer.",
    fix="Correct the label, or give the last layer a unit for each class.",
    at="/data",
    wrong=(
        '{"type": "spike_files",\n'
        ' "train": [{"input": {"path": "input.bs1"}, "label": 1},\n'
        '           {"input": {"path": "input.bs1"}, "label": 2}]}'
    ),
    right=(
        '{"type": "spike_files",\n'
        ' "train": [{"input": {"path": "input.bs1"}, "label": 0},\n'
        '           {"input": {"path": "input.bs1"}, "label": 1}]}'
    ),
    is_labelled=True,
)
