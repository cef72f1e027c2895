from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule


@rule(
    "ND230",
    "a classifier without classes",
    at="/classifier",
    wrong='{"type": "rate"}',
    right="null",
)
def check(context: Context) -> Found:
    """A classifier turns output spikes into a class, which is compared with a label. Only
    spike_rate, spike_max and cross_entropy learn from labels.

    Remove the classifier, or use one of these losses.
    """
    parts, loss = next(context.losses())
    if context.document.classifier is not None and loss.learns_from != "labels":
        message = f"the loss {loss.type} learns from {loss.learns_from}, so there are no classes"
        yield RuleDiagnostic(
            ("classifier",),
            message,
            hint="remove the classifier",
            related=(RelatedPath((*parts, "type"), f"learns from {loss.learns_from}"),),
        )
