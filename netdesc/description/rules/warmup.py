"""Checks that the warm-up is shorter than the run (ND219)."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.models import CosineSchedule
from netdesc.description.rules.rule import Context, RuleDiagnostic
from netdesc.description.source_map import RelatedPath


def check(context: Context) -> Iterator[RuleDiagnostic]:
    training = context.document.training
    schedule = training.schedule
    if isinstance(schedule, CosineSchedule) and schedule.warmup_epochs >= training.epochs:
        yield RuleDiagnostic(
            ("training", "schedule", "warmup_epochs"),
            f"a warm-up of {schedule.warmup_epochs} epochs leaves no other epochs in a run of "
            f"{training.epochs}",
            related=(RelatedPath(("training", "epochs"), "the length of the run"),),
        )


ENTRY = Entry(
    code="ND219",
    title="the warm-up is as long as the run",
    cause=(
        "A cosine schedule lowers the learning rate after warmup_epochs epochs. The run ends "
        "before that."
    ),
    fix="Use a shorter warm-up, or train for more epochs.",
    at="/training",
    wrong=(
        '{"epochs": 10, "optimizer": {"type": "adam", "learning_rate": 0.001},\n'
        ' "schedule": {"type": "cosine", "warmup_epochs": 10}}'
    ),
    right=(
        '{"epochs": 10, "optimizer": {"type": "adam", "learning_rate": 0.001},\n'
        ' "schedule": {"type": "cosine", "warmup_epochs": 2}}'
    ),
)
