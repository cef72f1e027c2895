from netdesc.description.json.tree import Parts
from netdesc.description.json_pointer import dotted
from netdesc.description.models import OneLoss, Pair
from netdesc.description.models.arrays import LEARNT_FROM, DataSection
from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule

_LOSSES = {
    "labels": "spike_rate, spike_max or cross_entropy",
    "multi-hot labels": "spike_moid",
    "target spikes": "spike_time",
    "target values": "mean_squared_error",
}


@rule(
    "ND228",
    "the samples do not have what the loss learns from",
    at="/data/train/0",
    wrong='{"input": {"path": "input.bs1"}, "label": 1}',
    right='{"input": {"path": "input.bs1"}, "target": {"path": "target.bs1"}}',
)
def check(context: Context) -> Found:
    """spike_time compares the output with target spikes, which event files or an array hold.
    spike_rate, spike_max and cross_entropy compare it with labels, spike_moid with the array that
    data.multi_hot names, mean_squared_error with the one that data.targets names. All losses of a
    list learn from the same.

    Use losses that fit the samples, or give the samples what the losses learn from.
    """
    (parts, loss), *others = context.losses()
    for place, other in others:
        if other.learns_from != loss.learns_from:
            yield RuleDiagnostic(
                (*place, "type"),
                f"{other.type} learns from {other.learns_from}, and the first loss of the list "
                f"from {loss.learns_from}",
                hint=f"use {_LOSSES[loss.learns_from]}",
                related=(RelatedPath((*parts, "type"), f"learns from {loss.learns_from}"),),
            )
            return
    data = context.document.data
    if data is not None and data.pairs:
        yield from _check_pairs(parts, loss, list(context.pairs()))
    elif data is not None:
        yield from _check_data(parts, loss, data)


def _check_pairs(parts: Parts, loss: OneLoss, pairs: list[tuple[Parts, Pair]]) -> Found:
    if loss.learns_from in ("target values", "multi-hot labels"):
        yield RuleDiagnostic(
            (*parts, "type"),
            f"{loss.type} learns from {loss.learns_from}, and event files hold spikes or a label",
            hint=f'use spike_time, or data of the type "arrays" with {_field_of(loss)}',
            related=(RelatedPath(("data", "type"), "samples of event files"),),
        )
        return
    learns_from_targets = loss.learns_from == "target spikes"
    needed, other = ("target", "label") if learns_from_targets else ("label", "target")
    unfit = [
        place
        for place, pair in pairs
        if getattr(pair, needed) is None and getattr(pair, other) is not None
    ]
    losses = _LOSSES["labels" if learns_from_targets else "target spikes"]
    if unfit:  # one diagnostic for all samples, because often the loss is wrong
        yield RuleDiagnostic(
            (*unfit[0], other),
            f"{loss.type} learns from {needed}s, and {dotted(unfit[0])} has a {other}",
            hint=f"add a {needed}, or use {losses}",
            notes=(f"{len(unfit)} of {len(pairs)} samples have no {needed}",),
            on="key",
            related=(RelatedPath((*parts, "type"), f"learns from {needed}s"),),
        )


def _field_of(loss: OneLoss) -> str:
    """Returns the field of arrays from which a loss learns, in quotes."""
    return next(f'"{field}"' for field, each in LEARNT_FROM.items() if loss.learns_from in each)


def _check_data(parts: Parts, loss: OneLoss, data: DataSection) -> Found:
    field = data.goal[0]
    if loss.learns_from in LEARNT_FROM[field]:
        return
    found = "targets" if field == "targets" else LEARNT_FROM[field][0]
    hint = f"use {' or '.join(_LOSSES[each] for each in LEARNT_FROM[field])}"
    if loss.learns_from == "labels":
        hint += f', or remove "{field}" from data'
    elif field == "labels" and data.as_arrays is not None:
        hint += f", or add {_field_of(loss)} to data: the array with the {loss.learns_from}"
    yield RuleDiagnostic(
        (*parts, "type"),
        f"{loss.type} learns from {loss.learns_from}, and the samples of {data.type_name()} have "
        f"{found}",
        hint=hint,
        related=(RelatedPath(("data", "type" if field == "labels" else field), found),),
    )
