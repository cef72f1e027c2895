"""Checks that the samples have the targets or the labels from which the loss learns (ND228)."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.json_pointer import dotted
from netdesc.description.models import Arrays, SpikeTime
from netdesc.description.rules.rule import Context, RuleDiagnostic
from netdesc.description.source_map import RelatedPath


def check(context: Context) -> Iterator[RuleDiagnostic]:
    loss, data = context.document.loss, context.document.data
    learns_from_targets = isinstance(loss, SpikeTime)
    needed, other = ("target", "label") if learns_from_targets else ("label", "target")
    if isinstance(data, Arrays):
        if learns_from_targets:
            message = "spike_time learns from targets, and the samples of arrays have labels"
            yield RuleDiagnostic(
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
        if getattr(pair, needed) is None and getattr(pair, other) is not None
    ]
    losses = "spike_rate or spike_max" if learns_from_targets else "spike_time"
    if unfit:  # one diagnostic for all samples, because often the loss is wrong
        yield RuleDiagnostic(
            (*unfit[0], other),
            f"{loss.type} learns from {needed}s, and {dotted(unfit[0])} has a {other}",
            hint=f"add a {needed}, or use {losses}",
            notes=(f"{len(unfit)} of {len(pairs)} samples have no {needed}",),
            on="key",
            related=(RelatedPath(("loss", "type"), f"learns from {needed}s"),),
        )


ENTRY = Entry(
    code="ND228",
    title="the samples do not have what the loss learns from",
    cause=(
        "spike_time compares the output with target spikes. spike_rate and spike_max compare it "
        "with labels. The samples of arrays always have labels."
    ),
    fix="Use a loss that fits the samples, or give the samples what the loss learns from.",
    at="/data/train/0",
    wrong='{"input": {"path": "input.bs1"}, "label": 1}',
    right='{"input": {"path": "input.bs1"}, "target": {"path": "target.bs1"}}',
)
