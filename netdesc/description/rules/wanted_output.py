"""A loss that learns from something else than the samples have."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.json_pointer import dotted
from netdesc.description.models import Arrays, SpikeTime
from netdesc.description.rules.rule import Context, Finding
from netdesc.description.source_map import RelatedPath


def check(context: Context) -> Iterator[Finding]:
    loss, data = context.document.loss, context.document.data
    by_target = isinstance(loss, SpikeTime)
    wanted, other = ("target", "label") if by_target else ("label", "target")
    if isinstance(data, Arrays):
        if by_target:
            message = "spike_time learns from targets, and the samples of arrays have labels"
            yield Finding(
                ("loss", "type"),
                message,
                hint="use spike_rate or spike_max",
                related=(RelatedPath(("data", "type"), "samples with labels"),),
            )
        return
    pairs = list(context.pairs())
    unfit = [
        parts
        for parts, pair in pairs
        if getattr(pair, wanted) is None and getattr(pair, other) is not None
    ]
    losses = "spike_rate or spike_max" if by_target else "spike_time"
    if unfit:  # said once: often the loss is the one to change
        yield Finding(
            (*unfit[0], other),
            f"{loss.type} learns from {wanted}s, and {dotted(unfit[0])} has a {other}",
            hint=f"give it a {wanted}, or use {losses}",
            notes=(f"{len(unfit)} of {len(pairs)} samples have no {wanted}",),
            on="key",
            related=(RelatedPath(("loss", "type"), f"wants {wanted}s"),),
        )


ENTRY = Entry(
    code="ND228",
    title="the loss needs what the samples do not have",
    cause=(
        "spike_time compares the output with the spikes of a target. spike_rate and spike_max "
        "compare it with a label, which is what arrays have."
    ),
    fix="Use the loss that fits the samples, or give the samples what the loss needs.",
    at="/data/train/0",
    wrong='{"input": {"path": "input.bs1"}, "label": 1}',
    right='{"input": {"path": "input.bs1"}, "target": {"path": "target.bs1"}}',
)
