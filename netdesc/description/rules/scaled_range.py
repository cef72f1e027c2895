from netdesc.description.models import ValueData
from netdesc.description.rules.rule import Context, Found, RuleDiagnostic, rule


@rule(
    "ND247",
    "values that are scaled to what the encoding cannot take",
    at="/data/to",
    wrong="[0, 2]",
    right="[0, 0.5]",
    data="labels",
)
def check(context: Context) -> Found:
    """data.range is scaled to data.to. For the encoding rate, the result is a share of max_rate,
    and for latency, it says how early a spike comes, so both ends must lie between 0 and 1. If
    the two ends are equal, all inputs are the same.

    Write two different numbers from 0 to 1, or use the encoding constant, which takes any numbers.
    """
    data = context.document.data
    if not isinstance(data, ValueData):
        return
    ends, encoding = data.to, data.encoding
    if ends[0] == ends[1]:
        yield RuleDiagnostic(("data", "to", 1), f"both ends of data.to are {ends[1]:g}")
    elif not encoding.is_real:
        for index, end in enumerate(ends):
            if not 0 <= end <= 1:
                message = f'"{encoding.type}" takes values from 0 to 1, and data.to names {end:g}'
                yield RuleDiagnostic(("data", "to", index), message)
