"""Checks that a loss that skips steps leaves some of a sample (ND244)."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.models import MeanSquaredError
from netdesc.description.rules.rule import Context, RuleDiagnostic
from netdesc.description.source_map import RelatedPath


def check(context: Context) -> Iterator[RuleDiagnostic]:
    loss, steps = context.document.loss, context.document.time.steps
    if isinstance(loss, MeanSquaredError) and loss.skip_steps >= steps:
        message = f"the loss skips {loss.skip_steps} steps, and a sample has {steps}"
        length = RelatedPath(("time", "steps"), "the length of a sample")
        yield RuleDiagnostic(("loss", "skip_steps"), message, related=(length,))


ENTRY = Entry(
    code="ND244",
    title="a loss that skips all steps",
    cause="The first skip_steps steps of a sample do not count, and a sample has no more steps.",
    fix="Skip fewer steps than time.steps.",
    at="/loss/skip_steps",
    wrong="100",
    right="10",
    has_values=True,
)
