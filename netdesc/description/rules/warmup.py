"""A warm-up as long as the run."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.models import CosineSchedule
from netdesc.description.rules.rule import Context, Finding
from netdesc.description.source_map import RelatedPath


def check(context: Context) -> Iterator[Finding]:
    training = context.document.training
    schedule = training.schedule
    if isinstance(schedule, CosineSchedule) and schedule.warmup_epochs >= training.epochs:
        yield Finding(
            ("training", "schedule", "warmup_epochs"),
            f"a warm-up of {schedule.warmup_epochs} epochs leaves none of {training.epochs}",
            related=(RelatedPath(("training", "epochs"), "the length of the run"),),
        )


ENTRY = Entry(
    code="ND219",
    title="the warm-up is as long as the run",
    cause="A cosine schedule falls after warmup_epochs. Here the run ends before.",
    fix="Shorten the warm-up or train for more epochs.",
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
