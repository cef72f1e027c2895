"""Warns if a cosine schedule raises the learning rate (ND226)."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.models import CosineSchedule
from netdesc.description.rules.rule import Context, RuleDiagnostic
from netdesc.description.source_map import RelatedPath


def check(context: Context) -> Iterator[RuleDiagnostic]:
    training = context.document.training
    schedule, rate = training.schedule, training.optimizer.learning_rate
    if isinstance(schedule, CosineSchedule) and schedule.final_rate > rate:
        yield RuleDiagnostic(
            ("training", "schedule", "final_rate"),
            f"the learning rate would rise from {rate:g} to {schedule.final_rate:g}",
            related=(RelatedPath(("training", "optimizer", "learning_rate"), "where it starts"),),
        )


ENTRY = Entry(
    code="ND226",
    title="the cosine schedule raises the learning rate",
    cause=(
        "final_rate is the learning rate at the end of the run, not a factor. Here it is "
        "larger than learning_rate."
    ),
    fix="Use a final_rate below learning_rate, or 0.",
    at="/training",
    wrong=(
        '{"epochs": 10, "optimizer": {"type": "adam", "learning_rate": 0.001},\n'
        ' "schedule": {"type": "cosine", "final_rate": 0.1}}'
    ),
    right=(
        '{"epochs": 10, "optimizer": {"type": "adam", "learning_rate": 0.001},\n'
        ' "schedule": {"type": "cosine", "final_rate": 0.0001}}'
    ),
    severity="warning",
)
