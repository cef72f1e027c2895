import math

from netdesc.description.models import ValueData
from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule


@rule(
    "ND216",
    "a range with its ends swapped, equal or too far apart",
    at="/neurons/cuba",
    wrong='{"type": "lif", "threshold": 1, "voltage_decay": [0.2, 0.1], "per_channel": true}',
    right='{"type": "lif", "threshold": 1, "voltage_decay": [0.1, 0.2], "per_channel": true}',
)
def check(context: Context) -> Found:
    """A range is [low, high]. low must not be larger than high. The low end of data.range becomes 0
    and the high end 1, so they must not be equal, and high - low must fit into a 64-bit float, so
    it must be less than 1.8e308.

    Swap the two ends, or write the smallest and the largest value of data into data.range.
    """
    for each in context.neuron_parameters():
        if isinstance(each.value, tuple) and each.value[0] > each.value[1]:
            low, high = each.value
            message = f"the range of {each.name} goes from {low:g} down to {high:g}"
            related = (RelatedPath((*each.parts, 1), "the high end"),)
            hint = f"write [{high:g}, {low:g}]"
            yield RuleDiagnostic((*each.parts, 0), message, hint=hint, related=related)
    data = context.document.data
    if not isinstance(data, ValueData):
        return
    low, high = data.range
    if low >= high:
        message = f"data.range goes from {low:g} to {high:g}: the first must be smaller"
        first = RelatedPath(("data", "range", 0), "the low end")
        yield RuleDiagnostic(("data", "range", 1), message, related=(first,))
    elif math.isinf(high - low):  # every value would be encoded as 0, so that no input spikes
        message = f"data.range goes from {low:g} to {high:g}, too far apart for a 64-bit float"
        hint = "write the smallest and the largest value"
        yield RuleDiagnostic(("data", "range"), message, hint=hint)
