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
            layer, source = document.layers[problem.layer], wiring.sources[problem.layer][0]
            trace = trace_source(document, wiring, source)
            message = f'{layer.type} layer "{layer.name}" {error}'
            shape = problem.shapes[0] if problem.shapes else None
            if shape is not None:
                message += f", and its input has the shape {list(shape)}"
            yield RuleDiagnostic(
                ("layers", problem.layer, error.field),
                message,
                hint=error.hint,
                notes=(f"shapes: {trace} → {layer.name} {layer.type}",),
                related=() if shape is None else shape_locations(document, source, shape),
            )
