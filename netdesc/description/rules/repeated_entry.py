from netdesc.description.json.tree import Parts
from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule


@rule(
    "ND209",
    "a list names the same thing twice",
    at="/layers/1/from",
    wrong='["hidden", "hidden"]',
    right='["hidden"]',
)
def check(context: Context) -> Found:
    """ "from" or "learn" has an entry twice. In "from" an output would be added twice.

    Remove one of the two.
    """
    lists: list[tuple[Parts, tuple[str, ...]]] = [
        ((*parts, "learn"), neuron.learn) for parts, neuron in context.neurons()
    ]
    for index, layer in enumerate(context.document.layers):
        if isinstance(layer.from_, tuple):
            lists.append((("layers", index, "from"), layer.from_))
    for parts, names in lists:
        first_position: dict[str, int] = {}
        for position, name in enumerate(names):
            if name in first_position:
                second = RelatedPath((*parts, first_position[name]), "first listed here")
                message = f'"{name}" is listed twice'
                yield RuleDiagnostic((*parts, position), message, related=(second,))
            first_position.setdefault(name, position)
