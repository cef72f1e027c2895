"""Rules about names: of neurons, layers and states."""

import itertools

from netdesc.description.json.tree import Parts
from netdesc.description.models.loss import OUTPUT, EventRate
from netdesc.description.models.training import Group
from netdesc.description.rules.rule import Context, Found, Issue, RelatedPath, rule
from netdesc.description.shapes import INPUT, InputProblemKind
from netdesc.description.spelling import allowed_note, certain_name, closest_name, did_you_mean
from netdesc.description.synonyms import hint_for_neuron


@rule("ND201")
def unknown_neuron(context: Context) -> Found:
    known = context.document.neurons
    for index, layer in context.neuron_layers():
        if isinstance(layer.neuron, str) and layer.neuron not in known:
            yield Issue(
                ("layers", index, "neuron"),
                f'layer "{layer.name}" has the neuron "{layer.neuron}", which is not in neurons',
                hint=did_you_mean(layer.neuron, known) or hint_for_neuron(layer.neuron),
                notes=(allowed_note(sorted(known)),) if known else ("neurons is empty",),
                meant=certain_name(layer.neuron, known),
            )


MAX_UNKNOWN_NAMES = 100
"""At most this many unknown names are compared with the names of neurons."""


@rule("ND202")
def unused_neuron(context: Context) -> Found:
    layers = [layer for _, layer in context.neuron_layers()]
    if not layers:
        return  # ND210 reports a network without such layers
    neurons = context.document.neurons
    used = {layer.neuron for layer in layers if isinstance(layer.neuron, str)}
    # A misspelt name may mean these neurons: ND201 suggests them.
    unknown = itertools.islice(used - neurons.keys(), MAX_UNKNOWN_NAMES)
    meant = {closest_name(name, neurons) for name in unknown}
    for name in neurons:
        if name not in used and name not in meant:
            yield Issue(("neurons", name), f'no layer uses the neuron "{name}"', on="key")


@rule("ND203")
def repeated_name(context: Context) -> Found:
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
            if parts[-1] == "name":
                first.setdefault(INPUT, ("input",))
            if first.setdefault(name, parts) != parts:
                what, hint = f'"{name}" is listed twice', ""
                if parts[-1] == "name":
                    owner = "the network's input" if name == INPUT else f"layer {first[name][1]}"
                    what, hint = f'{owner} already has the name "{name}"', "choose another name"
                related = (RelatedPath(first[name], "the first one"),)
                yield Issue(parts, what, hint, related)


@rule("ND205")
def unknown_source(context: Context) -> Found:
    layers = context.document.layers
    for problem in context.wiring.problems:
        if problem.kind == "unknown":
            earlier = [INPUT, *(layer.name for layer in layers[: problem.layer])]
            message = f'layer "{layers[problem.layer].name}" reads "{problem.source}", which is '
            message += "not a layer"
            hint = did_you_mean(problem.source, earlier)
            notes = (allowed_note(sorted(earlier)),)
            yield Issue(problem.parts, message, hint, notes=notes, meant=problem.correction)


_TEXTS: dict[InputProblemKind, tuple[str, str]] = {
    "later": ('reads "{}", which comes after it', "this layer, which runs later"),
    "itself": ("reads itself", "this layer"),
}
"""Maps a kind of problem to what the layer does, and to the label of the layer that it reads."""


@rule("ND206")
def later_source(context: Context) -> Found:
    layers = context.document.layers
    for problem in context.wiring.problems:
        if problem.kind not in _TEXTS:
            continue
        action, label = _TEXTS[problem.kind]
        earlier = [INPUT, *(layer.name for layer in layers[: problem.layer])]
        source = next(index for index, layer in enumerate(layers) if layer.name == problem.source)
        message = f'layer "{layers[problem.layer].name}" {action.format(problem.source)}'
        related = (RelatedPath(("layers", source, "name"), label),)
        yield Issue(problem.parts, message, related=related, notes=(allowed_note(sorted(earlier)),))


_SOURCE_PROBLEMS = ("unknown", "later", "itself")


@rule("ND214")
def unread_layer(context: Context) -> Found:
    if any(problem.kind in _SOURCE_PROBLEMS for problem in context.wiring.problems):
        return  # the wrong "from" may be a misspelt name of such a layer
    read: set[str | None] = {source for sources in context.wiring.sources for source in sources}
    read |= {loss.from_ for _, loss, _ in context.losses()}
    for index, layer in enumerate(context.document.layers[:-1]):
        if layer.name not in read:
            message = f'no layer reads the output of layer "{layer.name}"'
            related = (RelatedPath(("layers", index + 1, "from"), "the next layer reads this"),)
            yield Issue(("layers", index, "name"), message, related=related)


@rule("ND280")
def unknown_layer(context: Context) -> Found:
    document = context.document
    known = [layer.name for layer in document.layers]
    named: list[tuple[Parts, str | None]] = [
        ((*parts, "from"), loss.from_) for parts, loss, _ in context.losses()
    ]
    lists: dict[Parts, tuple[EventRate | Group, ...]] = {
        ("regularizers",): document.regularizers,
        ("training", "groups"): document.training.groups,
    }
    for place, sections in lists.items():
        for index, section in enumerate(sections):
            names = enumerate(section.layers or ())
            named += [((*place, index, "layers", at), name) for at, name in names]
    for parts, name in named:
        if name is not None and name not in known:
            message = f'there is no layer "{name}"'
            hint = did_you_mean(name, known)
            notes = (allowed_note(sorted(known)),)
            yield Issue(parts, message, hint, notes=notes, meant=certain_name(name, known))


@rule("ND281")
def unknown_signal(context: Context) -> Found:
    for parts, loss, index in context.losses():
        signal = loss.signal
        if index is None or signal == OUTPUT:
            continue
        layer = context.document.layers[index]
        neuron = context.neuron_of(layer)
        if neuron is None and isinstance(layer.neuron, str):
            continue  # the neuron is not known
        known = [OUTPUT, *(() if neuron is None else neuron.definition().states)]
        if signal not in known:
            message = f'the neurons of layer "{layer.name}" have no state "{signal}"'
            if neuron is None:
                message = f'layer "{layer.name}" has no neurons, so it has no states'
            hint, meant = did_you_mean(signal, known), certain_name(signal, known)
            related = (RelatedPath(("layers", index, "name"), "the layer"),)
            notes = (allowed_note(known),)
            yield Issue((*parts, "signal"), message, hint, related, notes, meant=meant)
