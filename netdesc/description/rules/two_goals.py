from netdesc.description.models import Arrays
from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule


@rule(
    "ND287",
    "samples with targets and multi-hot labels",
    at="/data/multi_hot",
    wrong='"multi_hot"',
    right="null",
    data="values",
)
def check(context: Context) -> Found:
    """Data names both targets and multi_hot. A loss learns from one of them.

    Keep the one from which the loss learns: multi_hot for spike_moid, targets for
    mean_squared_error.
    """
    data = context.document.data
    if isinstance(data, Arrays) and None not in (data.targets, data.multi_hot):
        yield RuleDiagnostic(
            ("data", "multi_hot"),
            "data names targets and multi-hot labels; a sample has one of them",
            related=(RelatedPath(("data", "targets"), "the targets"),),
        )
