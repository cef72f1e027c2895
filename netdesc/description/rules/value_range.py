"""A range of values that is empty or upside down."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.models import Arrays
from netdesc.description.rules.rule import Context, Finding
from netdesc.description.source_map import RelatedPath


def check(context: Context) -> Iterator[Finding]:
    data = context.document.data
    if isinstance(data, Arrays) and data.range[0] >= data.range[1]:
        low, high = data.range
        message = f"data.range goes from {low:g} to {high:g}: the first must be the smaller"
        first = RelatedPath(("data", "range", 0), "the low end")
        yield Finding(("data", "range", 1), message, related=(first,))


ENTRY = Entry(
    code="ND233",
    title="a range of values that is empty or upside down",
    cause="range is [low, high]: low becomes 0, high becomes 1.",
    fix="Write the smaller one first.",
    at="/data/range",
    wrong="[1, 0]",
    right="[0, 1]",
    is_labelled=True,
)
