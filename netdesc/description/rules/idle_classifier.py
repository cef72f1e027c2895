"""A classifier where there are no classes."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.models import SpikeTime
from netdesc.description.rules.rule import Context, Finding
from netdesc.description.source_map import RelatedPath


def check(context: Context) -> Iterator[Finding]:
    document = context.document
    if document.classifier is not None and isinstance(document.loss, SpikeTime):
        message = "the loss spike_time learns from targets, which are no classes"
        yield Finding(
            ("classifier",),
            message,
            hint="leave the classifier out",
            related=(RelatedPath(("loss", "type"), "learns from targets"),),
        )


ENTRY = Entry(
    code="ND230",
    title="a classifier without classes",
    cause=(
        "A classifier turns output spikes into a class, to be compared with a label. Only "
        "spike_rate and spike_max learn from labels."
    ),
    fix="Leave the classifier out, or use one of these losses.",
    at="/classifier",
    wrong='{"type": "rate"}',
    right="null",
)
