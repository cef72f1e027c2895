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
    spike_rate and spike_max learn from labels.

    Remove the classifier, or use the loss spike_rate or spike_max.
    """
    document = context.document
    if document.classifier is not None and document.loss.learns_from != "labels":
        message = f"the loss {document.loss.type} learns from targets, so there are no classes"
        learns = RelatedPath(("loss", "type"), "learns from targets")
        yield RuleDiagnostic(("classifier",), message, "remove the classifier", related=(learns,))
