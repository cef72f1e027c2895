from netdesc.description.rules.rule import Context, Found, RuleDiagnostic, rule

MIN_SAMPLES = 64
"""The warning needs at least this many samples; for fewer, one batch is reasonable."""
SUGGESTED_BATCH_SIZE = 32


@rule(
    "ND237",
    "many samples in one batch",
    at="/training/batch_size",
    wrong="null",
    right="32",
    severity="warning",
    data="labels",
)
def check(context: Context) -> Found:
    """Without batch_size, or with null, the whole training set is one batch. The weights then
    change only once per epoch, so learning takes many epochs.

    Add a batch_size such as 32. If you want one batch, write the number of samples.
    """
    training = context.document.training
    samples = training.without_held_out(context.training_set.samples)
    if training.batch_size is not None or samples is None:
        return
    if context.document.main_loss.learns_from == "target spikes":
        return  # the samples are long, so that few of them are a batch
    if samples >= MIN_SAMPLES:
        yield RuleDiagnostic(
            ("training", "batch_size"),
            f"all {samples} training samples form one batch, so the weights change once per epoch",
            hint=f'add "batch_size": {SUGGESTED_BATCH_SIZE}',
        )
