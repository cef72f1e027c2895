from netdesc.description.json.tree import Parts
from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule


@rule("ND203", "a name is there twice", at="/layers/0/name", wrong='"output"', right='"hidden"')
def check(context: Context) -> Found:
    """Two layers have the same name, or "from" or "learn" has an entry twice. A name identifies a
    layer in "from", in weights files and in reports. In "from" an output would be added twice.

    Give each layer its own name, and remove one of two entries.
    """
    layers = context.document.layers
    names: list[list[tuple[Parts, str]]] = [
        [(("layers", index, "name"), layer.name) for index, layer in enumerate(layers)]
    ]
    for parts, neuron in context.neurons():
        names.append([((*parts, "learn", at), name) for at, name in enumerate(neuron.learn)])
    for index, layer in enumerate(layers):
        sources = layer.from_ if isinstance(layer.from_, tuple) else ()
        names.append([(("layers", index, "from", at), name) for at, name in enumerate(sources)])
    for entries in names:
        first: dict[str, Parts] = {}
        for parts, name in entries:
            if first.setdefault(name, parts) != parts:
                what, hint = f'"{name}" is listed twice', ""
                if parts[-1] == "name":
                    what = f'layer {first[name][1]} already has the name "{name}"'
                    hint = "choose another name"
                related = (RelatedPath(first[name], "the first one"),)
                yield RuleDiagnostic(parts, what, hint=hint, related=related)
