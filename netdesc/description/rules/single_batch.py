"""Warns if a large training set of arrays forms one batch (ND237)."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.rules.rule import Context, RuleDiagnostic

MIN_SAMPLES = 64
"""The warning needs at least this many samples; for fewer, one batch is reasonable."""
SUGGESTED_BATCH_SIZE = 32


def check(context: Context) -> Iterator[RuleDiagnostic]:
    training, samples = context.document.training, context.training_set.samples
    if training.batch_size is not None or samples is None:
        return
    if context.document.loss.learns_from == "target spikes":
        return  # the samples are long, so that few of them are a batch
    samples -= training.held_out(samples)
    if samples >= MIN_SAMPLES:
        yield RuleDiagnostic(
            ("training", "batch_size"),
            f"all {samples} training samples form one batch, so the weights change once per epoch",
            hint=f'add "batch_size": {SUGGESTED_BATCH_SIZE}',
        )


ENTRY = Entry(
    code="ND237",
    title="many samples in one batch",
    cause=(
        "Without batch_size, or with null, the whole training set is one batch. The weights then "
        "change only once per epoch, so learning takes many epochs."
    ),
    fix="Add a batch_size such as 32. If you want one batch, write the number of samples.",
    at="/training",
    wrong='{"epochs": 10, "optimizer": {"type": "adam", "learning_rate": 0.001}}',
    right=(
        '{"epochs": 10, "optimizer": {"type": "adam", "learning_rate": 0.001},\n "batch_size": 32}'
    ),
    is_labelled=True,
    severity="warning",
)
