from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule

_SOURCE_PROBLEMS = ("unknown", "later", "itself")


@rule(
    "ND214",
    "nothing reads a layer's output",
    at="/layers/1/from",
    wrong='"input"',
    right='"hidden"',
    severity="warning",
)
def check(context: Context) -> Found:
    """Only the last layer is the network's output. No other layer and no loss reads the output of
    this layer, so it costs time and learns nothing.

    Name it in another layer's "from" or in that of a loss, or remove the layer.
    """
    if any(problem.kind in _SOURCE_PROBLEMS for problem in context.wiring.problems):
        return  # the wrong "from" may be a misspelt name of such a layer
    read: set[str | None] = {source for sources in context.wiring.sources for source in sources}
    read |= {loss.from_ for _, loss in context.losses()}
    for index, layer in enumerate(context.document.layers[:-1]):
        if layer.name not in read:
            yield RuleDiagnostic(
                ("layers", index, "name"),
                f'no layer reads the output of layer "{layer.name}"',
                related=(RelatedPath(("layers", index + 1, "from"), "the next layer reads this"),),
            )
