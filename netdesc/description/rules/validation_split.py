from netdesc.description.diagnostics.wording import amount
from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule


@rule(
    "ND217",
    "validation_split leaves nothing to train on",
    at="/training/validation_split",
    wrong="0.5",
    right="0",
)
def check(context: Context) -> Found:
    """validation_split sets a share of the training samples aside for validation: rounded, but at
    least one sample. Here these are all samples.

    Add samples, use a smaller share, or list validation samples in data.validation.
    """
    training, samples = context.document.training, context.training_set.samples
    if getattr(context.document.data, "validation", None):
        return  # ND218 reports a validation split that is used beside such samples
    if samples is not None and training.held_out(samples) >= samples:
        count = amount(samples, "sample")
        yield RuleDiagnostic(
            ("training", "validation_split"),
            f"validation_split {training.validation_split:g} leaves none of {count} to train on",
            related=(RelatedPath(("data", "train"), count),),
        )
