"""Warns if a batch is larger than the training set (ND222)."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.rules.rule import Context, RuleDiagnostic
from netdesc.description.source_map import RelatedPath


def check(context: Context) -> Iterator[RuleDiagnostic]:
    training = context.document.training
    if context.training_set.samples is None:
        return
    samples = context.training_set.samples
    samples -= training.held_out(samples)
    # ND217 reports an empty training set.
    if training.batch_size is not None and training.batch_size > samples > 0:
        yield RuleDiagnostic(
            ("training", "batch_size"),
            f"a batch of {training.batch_size} is larger than the training set of {samples}",
            related=(
                RelatedPath(("data", "train"), "the training set", on="key"),
                RelatedPath(("data", "inputs"), "the training set"),
                RelatedPath(("training", "validation_split"), "this share is set aside"),
            ),
        )


ENTRY = Entry(
    code="ND222",
    title="the batch is larger than the training set",
    cause="A batch holds each sample at most once, so no batch can have batch_size samples here.",
    fix="Use a smaller batch_size, or leave it out to use the whole set.",
    at="/training",
    wrong=(
        '{"epochs": 10, "optimizer": {"type": "adam", "learning_rate": 0.001},\n "batch_size": 32}'
    ),
    right=(
        '{"epochs": 10, "optimizer": {"type": "adam", "learning_rate": 0.001},\n "batch_size": 1}'
    ),
    severity="warning",
)
