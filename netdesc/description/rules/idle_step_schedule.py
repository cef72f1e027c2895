"""Warns if the run ends before a step schedule changes the learning rate (ND220)."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.models import StepSchedule
from netdesc.description.rules.rule import Context, RuleDiagnostic
from netdesc.description.source_map import RelatedPath


def check(context: Context) -> Iterator[RuleDiagnostic]:
    training = context.document.training
    schedule = training.schedule
    if isinstance(schedule, StepSchedule) and schedule.every_epochs >= training.epochs:
        yield RuleDiagnostic(
            ("training", "schedule", "every_epochs"),
            f"the learning rate would change after {schedule.every_epochs} epochs; the run has "
            f"{training.epochs}",
            related=(RelatedPath(("training", "epochs"), "the length of the run"),),
        )


ENTRY = Entry(
    code="ND220",
    title="the step schedule never changes the learning rate",
    cause=(
        "The learning rate changes for the first time after every_epochs epochs. The run ends "
        "before that."
    ),
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
