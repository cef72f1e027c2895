"""A step schedule that never steps."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.models import StepSchedule
from netdesc.description.rules.rule import Context, Finding
from netdesc.description.source_map import RelatedPath


def check(context: Context) -> Iterator[Finding]:
    training = context.document.training
    schedule = training.schedule
    if isinstance(schedule, StepSchedule) and schedule.every_epochs >= training.epochs:
        yield Finding(
            ("training", "schedule", "every_epochs"),
            f"the rate would change after {schedule.every_epochs} epochs; the run has "
            f"{training.epochs}",
            related=(RelatedPath(("training", "epochs"), "the length of the run"),),
        )


ENTRY = Entry(
    code="ND220",
    title="the step schedule never changes the rate",
    cause="The first change comes after every_epochs epochs. Here the run ends before.",
    fix="Use a smaller every_epochs, or the constant schedule.",
    at="/training",
    wrong=(
        '{"epochs": 10, "optimizer": {"type": "adam", "learning_rate": 0.001},\n'
        ' "schedule": {"type": "step", "every_epochs": 10, "factor": 0.5}}'
    ),
    right=(
        '{"epochs": 10, "optimizer": {"type": "adam", "learning_rate": 0.001},\n'
        ' "schedule": {"type": "step", "every_epochs": 5, "factor": 0.5}}'
    ),
    severity="warning",
)
