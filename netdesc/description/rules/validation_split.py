"""Checks that ``validation_split`` leaves samples to train on (ND217)."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.models import SpikeFiles
from netdesc.description.rules.rule import Context, RuleDiagnostic
from netdesc.description.source_map import RelatedPath


def check(context: Context) -> Iterator[RuleDiagnostic]:
    training, samples = context.document.training, context.training_set.samples
    data = context.document.data
    if isinstance(data, SpikeFiles) and data.validation:
        return  # ND218 reports a validation split that is used beside such samples
    if samples is not None and training.held_out(samples) >= samples:
        noun = "sample" if samples == 1 else "samples"
        yield RuleDiagnostic(
            ("training", "validation_split"),
            f"validation_split {training.validation_split:g} leaves none of {samples} {noun} to "
            "train on",
            related=(RelatedPath(("data", "train"), f"{samples} {noun}", on="key"),),
        )


ENTRY = Entry(
    code="ND217",
    title="validation_split leaves nothing to train on",
    cause=(
        "validation_split sets a share of the training samples aside for validation: rounded, "
        "but at least one sample. Here these are all samples."
    ),
    fix="Add samples, use a smaller share, or list validation samples in data.validation.",
    at="/training",
    wrong=(
        '{"epochs": 10, "optimizer": {"type": "adam", "learning_rate": 0.001},\n'
        ' "validation_split": 0.5}'
    ),
    right=(
        '{"epochs": 10, "optimizer": {"type": "adam", "learning_rate": 0.001},\n'
        ' "validation_split": 0}'
    ),
)
