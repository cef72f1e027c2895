from netdesc.description.json_pointer import dotted
from netdesc.description.models import Arrays, SpikeFiles
from netdesc.description.models.loss import Loss
from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule


@rule(
    "ND228",
    "the samples do not have what the loss learns from",
    at="/data/train/0",
    wrong='{"input": {"path": "input.bs1"}, "label": 1}',
    right='{"input": {"path": "input.bs1"}, "target": {"path": "target.bs1"}}',
)
def check(context: Context) -> Found:
    """spike_time compares the output with target spikes, which event files or an array hold.
    spike_rate and spike_max compare it with labels. mean_squared_error compares it with the values
    of the array that data.targets names.

    Use a loss that fits the samples, or give the samples what the loss learns from.
    """
    loss, data = context.document.loss, context.document.data
    if isinstance(data, Arrays):
        yield from _check_arrays(loss, data)
        return
    if data is not None and not isinstance(data, SpikeFiles) and loss.learns_from != "labels":
        yield RuleDiagnostic(
            ("loss", "type"),
            f"{loss.type} learns from {loss.learns_from}, and data of {data.type} have labels",
            hint="use spike_rate or spike_max",
            related=(RelatedPath(("data", "type"), "labels"),),
        )
    pairs = list(context.pairs())
    if loss.learns_from == "target values":
        if pairs:
            yield RuleDiagnostic(
                ("loss", "type"),
                f"{loss.type} learns from target values, and event files hold spikes",
                hint='use spike_time, or data of the type "arrays" with "targets"',
                related=(RelatedPath(("data", "type"), "samples of event files"),),
            )
        return
    learns_from_targets = loss.learns_from == "target spikes"
    needed, other = ("target", "label") if learns_from_targets else ("label", "target")
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


def _check_arrays(loss: Loss, data: Arrays) -> Found:
    found = "labels" if data.targets is None else "targets"
    if found.startswith(loss.learns_from.split()[0]):
        return
    losses = "mean_squared_error or spike_time"
    losses = "spike_rate or spike_max" if data.targets is None else losses
    hint = f"use {losses}"
    if data.targets is None:
        hint = f'add "targets" to data: the name of the array with the {loss.learns_from}'
    elif loss.learns_from == "labels":
        hint += ', or remove "targets" from data'
    yield RuleDiagnostic(
        ("loss", "type"),
        f"{loss.type} learns from {loss.learns_from}, and the samples of arrays have {found}",
        hint=hint,
        related=(RelatedPath(("data", "type" if data.targets is None else "targets"), found),),
    )
