from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule


@rule(
    "ND286",
    "min_rate is larger than max_rate",
    at="/regularizers",
    wrong='[{"type": "event_rate", "min_rate": 0.1}]',
    right='[{"type": "event_rate", "min_rate": 0.1, "max_rate": 0.2}]',
)
def check(context: Context) -> Found:
    """The regularizer event_rate costs nothing from min_rate to max_rate, so min_rate must not be
    larger.

    Exchange the rates, or change one of them.
    """
    for index, each in enumerate(context.document.regularizers):
        if each.min_rate > each.max_rate:
            yield RuleDiagnostic(
                ("regularizers", index, "min_rate"),
                f"min_rate {each.min_rate:g} is larger than max_rate {each.max_rate:g}",
                related=(RelatedPath(("regularizers", index, "max_rate"), "the highest rate"),),
            )
