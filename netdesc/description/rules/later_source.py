from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule
from netdesc.description.shapes import INPUT, InputProblem
from netdesc.description.spelling import allowed_note


@rule(
    "ND206",
    '"from" names the layer itself or a later one',
    at="/layers/0/from",
    wrong='"output"',
    right='"input"',
)
def check(context: Context) -> Found:
    """Layers run in the order in which they are listed, so a layer can only read the layers before
    it.

    Change the order of the layers, or name an earlier one.
    """
    layers = context.document.layers
    for problem in context.wiring.problems:
        name = layers[problem.layer].name
        if problem.kind == "later":
            message = f'layer "{name}" reads "{problem.source}", which comes after it'
            yield _diagnostic(context, problem, message, "this layer, which runs later")
        elif problem.kind == "itself":
            message = f'layer "{name}" reads itself'
            yield _diagnostic(context, problem, message, "this layer")


def _diagnostic(
    context: Context, problem: InputProblem, message: str, label: str
) -> RuleDiagnostic:
    layers = context.document.layers
    earlier = [INPUT, *(layer.name for layer in layers[: problem.layer])]
    read = next(index for index, layer in enumerate(layers) if layer.name == problem.source)
    second = RelatedPath(("layers", read, "name"), label)
    return RuleDiagnostic(
        problem.parts, message, notes=(allowed_note(sorted(earlier)),), related=(second,)
    )
