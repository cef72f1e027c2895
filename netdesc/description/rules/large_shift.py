from netdesc.description.models.augmentation import SpatialShift, TimeJitter, TimeShift
from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule

_FIELDS: dict[type, str] = {
    TimeShift: "max_steps",
    TimeJitter: "max_steps",
    SpatialShift: "max_pixels",
}
"""Maps the augmentations that move inputs to the field that limits by how much."""


@rule(
    "ND248",
    "an augmentation that moves everything out of a sample",
    at="/data/augmentation",
    wrong='[{"type": "time_shift", "max_steps": 100}]',
    right='[{"type": "time_shift", "max_steps": 5}]',
    data="labels",
)
def check(context: Context) -> Found:
    """A shift by as many steps as a sample has, or by as many pixels as an axis, leaves no inputs.

    Use a smaller shift.
    """
    document = context.document
    for index, each in enumerate(document.data.augmentation if document.data else ()):
        field = _FIELDS.get(type(each))
        if field is None:
            continue
        size, place = document.time.steps, ("time", "steps")
        if field == "max_pixels":
            size, place = min(document.input.shape[-2:]), ("input", "shape")
        limit = getattr(each, field)
        if limit >= size:
            yield RuleDiagnostic(
                ("data", "augmentation", index, field),
                f"{each.type} moves inputs by up to {limit} {field[4:]}, and a sample has {size}",
                related=(RelatedPath(place, "the size of a sample"),),
            )
