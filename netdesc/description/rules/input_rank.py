from netdesc.description.rules.rule import Context, Found, RuleDiagnostic, rule
from netdesc.description.shape_trace import shape_locations, trace_source


@rule(
    "ND207",
    "a dense layer needs an input of one dimension",
    at="/input",
    wrong='{"shape": [2, 2]}',
    right='{"shape": [4]}',
)
def check(context: Context) -> Found:
    """A dense layer connects every input with every unit, so its input must have one dimension.
    Here it has several.

    Add a layer of type flatten before it.
    """
    for problem in context.wiring.problems:
        if problem.kind == "rank":
            document, wiring = context.document, context.wiring
            name, shape = document.layers[problem.layer].name, problem.shapes[0]
            source = wiring.sources[problem.layer][0]
            yield RuleDiagnostic(
                ("layers", problem.layer, "type"),
                f'the input of dense layer "{name}" has the shape {list(shape)}',
                hint='add a layer of type "flatten" before it',
                notes=(f"shapes: {trace_source(document, wiring, source)} → {name} dense",),
                related=shape_locations(document, source, shape),
            )
