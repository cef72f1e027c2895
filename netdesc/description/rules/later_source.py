from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule
from netdesc.description.shapes import INPUT, InputProblemKind
from netdesc.description.spelling import allowed_note

_TEXTS: dict[InputProblemKind, tuple[str, str]] = {
    "later": ('reads "{}", which comes after it', "this layer, which runs later"),
    "itself": ("reads itself", "this layer"),
}
"""Maps a kind of problem to what the layer does, and to the label of the layer that it reads."""


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
        if problem.kind not in _TEXTS:
            continue
        action, label = _TEXTS[problem.kind]
        earlier = [INPUT, *(layer.name for layer in layers[: problem.layer])]
        source = next(index for index, layer in enumerate(layers) if layer.name == problem.source)
        yield RuleDiagnostic(
            problem.parts,
            f'layer "{layers[problem.layer].name}" {action.format(problem.source)}',
            notes=(allowed_note(sorted(earlier)),),
            related=(RelatedPath(("layers", source, "name"), label),),
        )
