from netdesc.description.rules.rule import Context, Found, RuleDiagnostic, rule
from netdesc.description.shapes import INPUT
from netdesc.description.spelling import allowed_note, did_you_mean


@rule(
    "ND205",
    '"from" names a layer that does not exist',
    at="/layers/1/from",
    wrong='"hiden"',
    right='"hidden"',
)
def check(context: Context) -> Found:
    """A layer's "from" names a layer that is not in "layers".

    Correct the name. The network's own input is called "input".
    """
    layers = context.document.layers
    for problem in context.wiring.problems:
        if problem.kind == "unknown":
            earlier = [INPUT, *(layer.name for layer in layers[: problem.layer])]
            yield RuleDiagnostic(
                problem.parts,
                f'layer "{layers[problem.layer].name}" reads "{problem.source}", which is '
                "not a layer",
                hint=did_you_mean(problem.source, earlier),
                notes=(allowed_note(sorted(earlier)),),
                meant=problem.correction,
            )
