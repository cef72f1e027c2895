"""A class that nothing is learnt about."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.models import Arrays, SpikeTime
from netdesc.description.rules.rule import Context, Finding
from netdesc.description.shape_trace import output_locations

SHOWN = 5
"""How many of the classes are named."""


def check(context: Context) -> Iterator[Finding]:
    document, classes = context.document, context.classes
    labels = context.training_set.labels
    if labels is None or classes is None or isinstance(document.loss, SpikeTime):
        return
    if max(labels) >= classes or len(labels) == classes:
        return  # a label beyond the outputs is another fault
    missing = [label for label in range(min(classes, len(labels) + SHOWN)) if label not in labels]
    shown = ", ".join(map(str, missing[:SHOWN]))
    count = classes - len(labels)
    more = f" and {count - SHOWN} more" if count > SHOWN else ""
    field = "labels" if isinstance(document.data, Arrays) else "train"
    noun = "label" if count == 1 else "labels"
    yield Finding(
        ("data", field),
        f"no training sample has the {noun} {shown}{more}",
        on="key",
        related=output_locations(document),
    )


ENTRY = Entry(
    code="ND235",
    title="a class without training samples",
    cause=(
        "The last layer has a neuron for each class, counted from 0. For some of them there is "
        "no sample to learn from, so that they will not be recognised."
    ),
    fix="Check the labels and the split, or give the last layer as many units as classes.",
    at="/data/labels",
    wrong='"labels_without_1"',
    right='"labels"',
    is_labelled=True,
    severity="warning",
)
