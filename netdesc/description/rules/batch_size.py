from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule


@rule(
    "ND222",
    "the batch is larger than the training set",
    at="/training/batch_size",
    wrong="32",
    right="1",
    severity="warning",
)
def check(context: Context) -> Found:
    """A batch holds each sample at most once, so no batch can have batch_size samples here.

    Use a smaller batch_size, or leave it out to use the whole set.
    """
    training = context.document.training
    samples = training.without_held_out(context.training_set.samples)
    if samples is None or training.batch_size is None:
        return
    if training.batch_size > samples > 0:  # ND217 reports an empty training set
        yield RuleDiagnostic(
            ("training", "batch_size"),
            f"a batch of {training.batch_size} is larger than the training set of {samples}",
            related=(
                RelatedPath(("data", "train"), "the training set"),
                RelatedPath(("data", "inputs"), "the training set"),
                RelatedPath(("training", "validation_split"), "this share is set aside"),
            ),
        )
