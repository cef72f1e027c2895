"""A large set of samples as one batch."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.models import SpikeTime
from netdesc.description.rules.rule import Context, Finding

MANY = 64
"""So many samples in one batch are worth a word."""
USUAL = 32


def check(context: Context) -> Iterator[Finding]:
    training, samples = context.document.training, context.training_set.samples
    if training.batch_size is not None or samples is None:
        return
    if isinstance(context.document.loss, SpikeTime):
        return  # it learns from targets, not from labels
    samples -= training.held_out(samples)
    if samples >= MANY:
        yield Finding(
            ("training", "batch_size"),
            f"all {samples} training samples are one batch, with one change of the weights an "
            "epoch",
            hint=f'add "batch_size": {USUAL}',
        )


ENTRY = Entry(
    code="ND237",
    title="many samples in one batch",
    cause=(
        "Without batch_size, or with null, the whole training set is one batch: the weights "
        "change once an epoch, and learning takes many epochs."
    ),
    fix=("Give a batch_size such as 32. Where one batch is meant, give the number of samples."),
    at="/training",
    wrong='{"epochs": 10, "optimizer": {"type": "adam", "learning_rate": 0.001}}',
    right=(
        '{"epochs": 10, "optimizer": {"type": "adam", "learning_rate": 0.001},\n "batch_size": 32}'
    ),
    is_labelled=True,
    severity="warning",
)
