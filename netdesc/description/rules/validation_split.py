"""A validation split that leaves nothing on one side."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.entry import Entry
from netdesc.description.rules.rule import Context, Finding, Rule


def check(context: Context) -> Iterator[Finding]:
    if context.document.data is None:
        return
    samples = len(context.document.data.train)
    training = context.document.training
    if training.validation_split > 0 and training.held_out(samples) == 0:
        noun = "sample" if samples == 1 else "samples"
        yield Finding(
            ("training", "validation_split"),
            f"{training.validation_split:g} of {samples} {noun} sets none aside for validation",
        )


RULE = Rule(
    entry=Entry(
        code="ND217",
        title="validation_split sets no sample aside",
        cause=(
            "validation_split takes a share of the training samples, rounded down. With so few "
            "samples the share is none."
        ),
        fix="Give more samples, a larger share, or the validation samples in data.validation.",
        at="/training",
        wrong=(
            '{"epochs": 10, "optimizer": {"type": "adam", "learning_rate": 0.001},\n'
            ' "validation_split": 0.5}'
        ),
        right=(
            '{"epochs": 10, "optimizer": {"type": "adam", "learning_rate": 0.001},\n'
            ' "validation_split": 0}'
        ),
    ),
    severity="error",
    check=check,
)
