from netdesc.description.json.tree import Parts
from netdesc.description.models import EventRate, Group
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
    document = context.document
    known = [layer.name for layer in document.layers]
    named: list[tuple[Parts, str | None]] = [
        ((*parts, "from"), loss.from_) for parts, loss in context.losses()
    ]
    lists: dict[Parts, tuple[EventRate | Group, ...]] = {
        ("regularizers",): document.regularizers,
        ("training", "groups"): document.training.groups,
    }
    for place, sections in lists.items():
        for index, each in enumerate(sections):
            names = enumerate(each.layers or ())
            named += [((*place, index, "layers", at), name) for at, name in names]
    for parts, name in named:
        if name is not None and name not in known:
            yield RuleDiagnostic(
                parts,
                f'there is no layer "{name}"',
                hint=did_you_mean(name, known),
                notes=(allowed_note(sorted(known)),),
                meant=certain_name(name, known),
            )
