"""A sample with a target and a label, or with neither."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.json_pointer import dotted
from netdesc.description.rules.rule import Context, Finding
from netdesc.description.source_map import RelatedPath


def check(context: Context) -> Iterator[Finding]:
    for parts, pair in context.pairs():
        if pair.target is not None and pair.label is not None:
            message = f"{dotted(parts)} has a target and a label"
            yield Finding(
                (*parts, "label"),
                message,
                hint="keep one of the two",
                on="key",
                related=(RelatedPath((*parts, "target"), "the target", on="key"),),
            )
        elif pair.target is None and pair.label is None:
            message = f"{dotted(parts)} has neither a target nor a label"
            yield Finding(parts, message, hint="say what is wanted for this input")


ENTRY = Entry(
    code="ND227",
    title="a sample needs a target or a label, and only one of them",
    cause=(
        "A sample says what is wanted for its input: the spikes that the last layer should "
        "emit (target), or the number of the output neuron that should spike most (label)."
    ),
    fix="Give the one that the loss learns from: spike_time takes targets, the others labels.",
    at="/data/train/0",
    wrong='{"input": {"path": "input.bs1"}, "target": {"path": "target.bs1"}, "label": 1}',
    right='{"input": {"path": "input.bs1"}, "target": {"path": "target.bs1"}}',
)
