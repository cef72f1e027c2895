"""Early stopping that cannot stop anything."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.rules.rule import Context, Finding
from netdesc.description.source_map import RelatedPath


def check(context: Context) -> Iterator[Finding]:
    training = context.document.training
    stopping = training.early_stopping
    if stopping is not None and stopping.patience_epochs >= training.epochs:
        yield Finding(
            ("training", "early_stopping", "patience_epochs"),
            f"a patience of {stopping.patience_epochs} epochs never runs out in a run of "
            f"{training.epochs}",
            related=(RelatedPath(("training", "epochs"), "the length of the run"),),
        )


ENTRY = Entry(
    code="ND223",
    title="early stopping cannot act",
    cause=(
        "Training stops after patience_epochs epochs without a better loss. Here the run ends "
        "before."
    ),
    fix="Use a smaller patience_epochs, or leave early_stopping out.",
    at="/training",
    wrong=(
        '{"epochs": 10, "optimizer": {"type": "adam", "learning_rate": 0.001},\n'
        ' "early_stopping": {"patience_epochs": 10}}'
    ),
    right=(
        '{"epochs": 10, "optimizer": {"type": "adam", "learning_rate": 0.001},\n'
        ' "early_stopping": {"patience_epochs": 3}}'
    ),
    severity="warning",
)
