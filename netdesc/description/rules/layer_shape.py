from netdesc.description.rules.rule import Context, Found, RuleDiagnostic, rule
from netdesc.description.shape_trace import shape_locations, trace_source


@rule(
    "ND207",
    "a layer cannot take the shape of its input",
    at="/input",
    wrong='{"shape": [2, 2]}',
    right='{"shape": [4]}',
)
def check(context: Context) -> Found:
    """A dense layer connects every input with every unit, so its input must have one dimension. A
    layer with a kernel needs an input of three dimensions, into which the kernel fits.

    Add a layer of type flatten or reshape before it, or change the kernel, its stride or its
    padding.
    """
    for problem in context.wiring.problems:
        if problem.error is not None:
            document, wiring, error = context.document, context.wiring, problem.error
            layer, shape = document.layers[problem.layer], problem.shapes[0]
            source = wiring.sources[problem.layer][0]
            trace = trace_source(document, wiring, source)
            yield RuleDiagnostic(
                ("layers", problem.layer, error.field),
                f'{layer.type} layer "{layer.name}" {error}, and its input has the shape '
                f"{list(shape)}",
                hint=error.hint,
                notes=(f"shapes: {trace} → {layer.name} {layer.type}",),
                related=shape_locations(document, source, shape),
            )
