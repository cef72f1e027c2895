"""Warns if the patience of early stopping is as long as the run or longer (ND223)."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.rules.rule import Context, RuleDiagnostic
from netdesc.description.source_map import RelatedPath


def check(context: Context) -> Iterator[RuleDiagnostic]:
    training = context.document.training
    stopping = training.early_stopping
    if stopping is not None and stopping.patience_epochs >= training.epochs:
        yield RuleDiagnostic(
            ("training", "early_stopping", "patience_epochs"),
            f"a patience of {stopping.patience_epochs} epochs never runs out in a run of "
            f"{training.epochs} epochs",
            related=(RelatedPath(("training", "epochs"), "the length of the run"),),
        )


ENTRY = Entry(
    code="ND223",
    title="early stopping cannot act",
    cause=(
        "Training stops early after patience_epochs epochs without a better loss. The run ends "
        "before that."
    ),
    fix="Use a smaller patience_epochs, or remove early_stopping.",
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
