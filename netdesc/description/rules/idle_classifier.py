"""Checks that a document has no classifier if its loss learns from targets (ND230)."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.rules.rule import Context, RuleDiagnostic
from netdesc.description.source_map import RelatedPath


def check(context: Context) -> Iterator[RuleDiagnostic]:
    document = context.document
    if document.classifier is not None and document.loss.learns_from != "labels":
        message = f"the loss {document.loss.type} learns from targets, so there are no classes"
        yield RuleDiagnostic(
            ("classifier",),
            message,
            hint="remove the classifier",
            related=(RelatedPath(("loss", "type"), "learns from targets"),),
        )


ENTRY = Entry(
    code="ND230",
    title="a classifier without classes",
    cause=(
        "A classifier turns output spikes into a class, which is compared with a label. Only "
        "spike_rate and spike_max learn from labels."
    ),
    fix="Remove the classifier, or use the loss spike_rate or spike_max.",
    at="/classifier",
    wrong='{"type": "rate"}',
    right="null",
)
