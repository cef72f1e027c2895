from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule


@rule(
    "ND203",
    "two layers have the same name",
    at="/layers/0/name",
    wrong='"output"',
    right='"hidden"',
)
def check(context: Context) -> Found:
    """A name identifies a layer in "from", in weights files and in reports.

    Give each layer its own name.
    """
    first_index: dict[str, int] = {}
    for index, layer in enumerate(context.document.layers):
        if layer.name in first_index:
            yield RuleDiagnostic(
                ("layers", index, "name"),
                f'layer {first_index[layer.name]} already has the name "{layer.name}"',
                hint="choose another name",
                related=(
                    RelatedPath(("layers", first_index[layer.name], "name"), "the first one"),
                ),
            )
        first_index.setdefault(layer.name, index)
