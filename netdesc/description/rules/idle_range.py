from netdesc.description.models import Arrays
from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule


@rule(
    "ND246",
    "a range that nothing uses",
    at="/data",
    wrong=(
        '{"type": "arrays", "path": "samples.npz", "inputs": "spikes", "split": null,\n'
        ' "range": [0, 255]}'
    ),
    right='{"type": "arrays", "path": "samples.npz", "inputs": "spikes", "split": null}',
    severity="warning",
    data="labels",
)
def check(context: Context) -> Found:
    """Encodings scale values by data.range before they make spikes of them. Without an encoding, or
    with the encoding spikes, the inputs are spikes already, 0 or 1 in every step, so the range
    has no effect.

    Remove data.range, or write an encoding that makes spikes of the values.
    """
    section = context.document.data
    data = None if section is None else section.as_arrays
    if data is None or data.encoding.type != "spikes":
        return
    for name in ("range", "to"):
        if getattr(data, name) == Arrays.model_fields[name].default:  # a lock contains the default
            continue
        related: tuple[RelatedPath, ...] = ()
        if "encoding" in data.model_fields_set:
            related = (RelatedPath(("data", "encoding"), "takes spikes, which are 0 or 1"),)
        message = f"data.{name} is not used, because the inputs are spikes"
        hint = 'remove it, or add an encoding such as {"type": "rate"}'
        yield RuleDiagnostic(("data", name), message, hint=hint, related=related)
