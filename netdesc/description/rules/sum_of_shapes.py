from netdesc.description.rules.rule import Context, Found, RuleDiagnostic, rule
from netdesc.description.shape_trace import shape_locations, trace_source
from netdesc.description.shapes import INPUT


@rule(
    "ND208",
    "inputs of different shapes cannot be summed",
    at="/layers/1/from",
    wrong='["input", "hidden"]',
    right='["hidden"]',
)
def check(context: Context) -> Found:
    """A list in "from" adds the outputs of its layers, neuron by neuron, so their shapes must be
    equal.

    Give the layers the same shape, or read only one of them.
    """
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
