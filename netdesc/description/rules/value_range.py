from netdesc.description.models import ValueData
from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule


@rule(
    "ND233",
    "a range of values that is empty or reversed",
    at="/data/range",
    wrong="[1, 0]",
    right="[0, 1]",
    data="labels",
)
def check(context: Context) -> Found:
    """data.range is [low, high]: the value low becomes 0, and the value high becomes 1.

    Write the smaller number first.
    """
    data = context.document.data
    if isinstance(data, ValueData) and data.range[0] >= data.range[1]:
        low, high = data.range
        message = f"data.range goes from {low:g} to {high:g}: the first must be smaller"
        first = RelatedPath(("data", "range", 0), "the low end")
        yield RuleDiagnostic(("data", "range", 1), message, related=(first,))
