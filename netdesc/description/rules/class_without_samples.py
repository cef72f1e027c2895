"""Warns if a class has no training samples (ND235)."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.models import Arrays
from netdesc.description.rules.rule import Context, RuleDiagnostic
from netdesc.description.shape_trace import output_locations

MAX_LABELS_SHOWN = 5


def check(context: Context) -> Iterator[RuleDiagnostic]:
    document, classes = context.document, context.classes
    labels = context.training_set.labels
    if labels is None or classes is None or document.loss.learns_from != "labels":
        return
    if max(labels) >= classes or len(labels) == classes:
        return  # ND229 or ND316 reports a label beyond the outputs
    missing = [
        label
        for label in range(min(classes, len(labels) + MAX_LABELS_SHOWN))
        if label not in labels
    ]
    shown = ", ".join(map(str, missing[:MAX_LABELS_SHOWN]))
    count = classes - len(labels)
    more = f" and {count - MAX_LABELS_SHOWN} more" if count > MAX_LABELS_SHOWN else ""
    field = "labels" if isinstance(document.data, Arrays) else "train"
    noun = "label" if count == 1 else "labels"
    yield RuleDiagnostic(
        ("data", field),
        f"no training sample has the {noun} {shown}{more}",
        on="key",
        related=output_locations(document),
    )


ENTRY = Entry(
    code="ND235",
    title="a class without training samples",
    cause=(
        "The last layer has one neuron per class, counted from 0. Some classes have no training "
        "sample, so the network cannot learn to recognise them."
    ),
    fix="Check the labels and the split, or give the last layer one unit per class.",
    at="/data/labels",
    wrong='"labels_without_1"',
    right='"labels"',
    is_labelled=True,
    severity="warning",
)
