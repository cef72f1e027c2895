from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule
from netdesc.description.shapes import INPUT


@rule(
    "ND204", "a layer has a reserved name", at="/layers/0/name", wrong='"input"', right='"hidden"'
)
def check(context: Context) -> Found:
    """In "from", "input" means the network's input, so no layer can have this name.

    Give the layer another name.
    """
    for index, layer in enumerate(context.document.layers):
        if layer.name == INPUT:
            message = f'"{INPUT}" is the name of the network\'s input'
            at, hint = ("layers", index, "name"), "choose another name"
            own = RelatedPath(("input",), "the network's input")
            yield RuleDiagnostic(at, message, hint, related=(own,))
