"""Checks that the inputs which a layer sums have the same shape (ND208)."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.rules.rule import Context, RuleDiagnostic
from netdesc.description.shape_trace import shape_locations, trace_source
from netdesc.description.shapes import INPUT


def check(context: Context) -> Iterator[RuleDiagnostic]:
    for problem in context.wiring.problems:
        if problem.kind == "sum":
            document, wiring = context.document, context.wiring
            name = document.layers[problem.layer].name
            first, other = problem.shapes
            yield RuleDiagnostic(
                problem.parts,
                f'layer "{name}" adds "{problem.source}" of shape {list(other)} to the shape '
                f"{list(first)}",
                notes=tuple(
                    f"shapes: {trace_source(document, wiring, source)}"
                    for source in (problem.first, problem.source)
                    if source != INPUT  # a related place shows the input's shape
                ),
                related=(
                    *shape_locations(document, problem.first, first),
                    *shape_locations(document, problem.source, other),
                ),
            )


ENTRY = Entry(
    code="ND208",
    title="inputs of different shapes cannot be summed",
    cause=(
        'A list in "from" adds the outputs of its layers, neuron by neuron, so their shapes must '
        "be equal."
    ),
    fix="Give the layers the same shape, or read only one of them.",
    at="/layers/1",
    wrong=(
        '{"name": "output", "type": "dense", "units": 2, "neuron": "cuba",\n'
        ' "from": ["input", "hidden"]}'
    ),
    right=(
        '{"name": "output", "type": "dense", "units": 2, "neuron": "cuba",\n "from": ["hidden"]}'
    ),
)
