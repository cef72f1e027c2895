"""Checks that ``data.range`` is neither empty nor reversed (ND233)."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.models import Arrays
from netdesc.description.rules.rule import Context, RuleDiagnostic
from netdesc.description.source_map import RelatedPath


def check(context: Context) -> Iterator[RuleDiagnostic]:
    data = context.document.data
    if isinstance(data, Arrays) and data.range[0] >= data.range[1]:
        low, high = data.range
        message = f"data.range goes from {low:g} to {high:g}: the first must be smaller"
        first = RelatedPath(("data", "range", 0), "the low end")
        yield RuleDiagnostic(("data", "range", 1), message, related=(first,))


ENTRY = Entry(
    code="ND233",
    title="a range of values that is empty or reversed",
    cause="data.range is [low, high]: the value low becomes 0, and the value high becomes 1.",
    fix="Write the smaller number first.",
    at="/data/range",
    wrong="[1, 0]",
    right="[0, 1]",
    is_labelled=True,
)
