from collections.abc import Iterator

from netdesc.description.json.tree import Parts
from netdesc.description.rules.rule import Context, Found, RuleDiagnostic, rule
from netdesc.description.spelling import allowed_note, certain_name, did_you_mean


@rule(
    "ND280",
    "training names a layer that does not exist",
    at="/loss",
    wrong='{"type": "spike_time", "time_constant_ms": 2, "from": "outptu"}',
    right='{"type": "spike_time", "time_constant_ms": 2, "from": "output"}',
)
def check(context: Context) -> Found:
    """A loss, a regularizer or a group of parameters names a layer that is not in "layers".

    Correct the name.
    """
    known = [layer.name for layer in context.document.layers]
    for parts, name in _named(context):
        if name not in known:
            yield RuleDiagnostic(
                parts,
                f'there is no layer "{name}"',
                hint=did_you_mean(name, known),
                notes=(allowed_note(sorted(known)),),
                meant=certain_name(name, known),
            )


def _named(context: Context) -> Iterator[tuple[Parts, str]]:
    document = context.document
    for parts, loss in context.losses():
        if loss.from_ is not None:
            yield (*parts, "from"), loss.from_
    places: list[tuple[Parts, tuple[str, ...] | None]] = [
        (("regularizers", index), each.layers) for index, each in enumerate(document.regularizers)
    ]
    places += [
        (("training", "groups", index), each.layers)
        for index, each in enumerate(document.training.groups)
    ]
    for parts, names in places:
        for index, name in enumerate(names or ()):
            yield (*parts, "layers", index), name
