"""Rules about losses."""

import math

from netdesc.description.diagnostics.wording import amount
from netdesc.description.json.tree import Parts
from netdesc.description.json_pointer import dotted
from netdesc.description.models.arrays import LEARNT_FROM, DataSection
from netdesc.description.models.data import Pair
from netdesc.description.models.loss import OUTPUT, LabelLoss, OneLoss
from netdesc.description.rules.rule import Context, Found, Issue, RelatedPath, rule
from netdesc.description.shapes import output_locations


@rule("ND213")
def time_constant(context: Context) -> Found:
    for parts, loss, index in context.losses():
        spike_filter = loss.spike_filter
        if index is None or spike_filter is None:
            continue
        step_ms = context.document.time.step_ms * context.wiring.decimations[index]
        length_ms = spike_filter.filter_steps * step_ms
        if (constant_ms := spike_filter.time_constant_ms) > length_ms:
            message = f"the time constant of {constant_ms:g} ms is longer than the filter of "
            message += f"{length_ms:g} ms"
            length = RelatedPath((*parts, "filter_steps"), f"{length_ms:g} ms")
            step = RelatedPath(("time", "step_ms"), "the length of a step")
            place, hint = (*parts, "time_constant_ms"), "increase filter_steps"
            yield Issue(place, message, hint, (length, step))


_LOSSES = {
    "labels": "spike_rate, spike_max or cross_entropy",
    "multi-hot labels": "spike_moid",
    "target spikes": "spike_time",
    "target values": "mean_squared_error",
}


@rule("ND228")
def target_for_loss(context: Context) -> Found:
    (parts, loss, _), *others = context.losses()
    for place, other, _ in others:
        if other.learns_from != loss.learns_from:
            message = f"{other.type} learns from {other.learns_from}, and the first loss of the "
            message += f"list from {loss.learns_from}"
            related = (RelatedPath((*parts, "type"), f"learns from {loss.learns_from}"),)
            yield Issue((*place, "type"), message, f"use {_LOSSES[loss.learns_from]}", related)
            return
    data = context.document.data
    if data is not None and data.pairs:
        yield from _check_pairs(parts, loss, list(context.pairs()))
    elif data is not None:
        yield from _check_data(parts, loss, data)


def _check_pairs(parts: Parts, loss: OneLoss, pairs: list[tuple[Parts, Pair]]) -> Found:
    if loss.learns_from in ("target values", "multi-hot labels"):
        message = f"{loss.type} learns from {loss.learns_from}, and event files hold spikes "
        message += "or a label"
        hint = f'use spike_time, or data of the type "arrays" with {_field_of(loss)}'
        related = (RelatedPath(("data", "type"), "samples of event files"),)
        yield Issue((*parts, "type"), message, hint, related)
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
        message = f"{loss.type} learns from {needed}s, and {dotted(unfit[0])} has a {other}"
        hint = f"add a {needed}, or use {losses}"
        related = (RelatedPath((*parts, "type"), f"learns from {needed}s"),)
        notes = (f"{len(unfit)} of {len(pairs)} samples have no {needed}",)
        yield Issue((*unfit[0], other), message, hint, related, notes, "key")


def _field_of(loss: OneLoss) -> str:
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
    message = f"{loss.type} learns from {loss.learns_from}, and the samples of "
    message += f"{data.type_name()} have {found}"
    related = (RelatedPath(("data", "type" if field == "labels" else field), found),)
    yield Issue((*parts, "type"), message, hint, related)


@rule("ND232")
def rate_order(context: Context) -> Found:
    for parts, loss, _ in context.losses():
        true_rate, false_rate = loss.label_rates or (1.0, 0.0)
        if true_rate <= false_rate:
            message = f"true_rate {true_rate:g} is not larger than false_rate {false_rate:g}, "
            message += "so the label's neuron would not spike most"
            related = (RelatedPath((*parts, "false_rate"), "the rate of the other neurons"),)
            yield Issue((*parts, "true_rate"), message, related=related)
    for index, regularizer in enumerate(context.document.regularizers):
        low, high = regularizer.min_rate, regularizer.max_rate
        if low > high:
            message = f"min_rate {low:g} is larger than max_rate {high:g}"
            related = (RelatedPath(("regularizers", index, "max_rate"), "the highest rate"),)
            yield Issue(("regularizers", index, "min_rate"), message, related=related)


@rule("ND243")
def graded_output(context: Context) -> Found:
    for parts, loss, index in context.losses():
        if index is None or loss.reason_for_spikes is None:
            continue
        layer, state = context.document.layers[index], loss.signal
        neuron = context.neuron_of(layer)
        if state == OUTPUT and (neuron is None or neuron.equations().output is None):
            continue
        read = f'the layer "{layer.name}" outputs graded values'
        if state != OUTPUT:
            read = f'the state "{state}" of the layer "{layer.name}" is not spikes'
        reason, hint = loss.reason_for_spikes
        related = (RelatedPath(("layers", index, "neuron"), "no spikes"),)
        yield Issue((*parts, "type"), f"{reason}, and {read}", hint, related)


@rule("ND283")
def untrained_output(context: Context) -> Found:
    last = len(context.document.layers) - 1
    losses = list(context.losses())
    if all(index not in (last, None) for *_, index in losses):
        name = context.document.layers[last].name
        message = f'no loss reads the last layer "{name}", the output of the network'
        yield Issue((*losses[0][0], "from"), message, "write null")


@rule("ND285")
def class_weights(context: Context) -> Found:
    shape, document = context.wiring.outputs[-1], context.document
    for parts, loss, _ in context.losses():
        if not isinstance(loss, LabelLoss) or not isinstance(loss.class_weights, tuple):
            continue
        count, path = len(loss.class_weights), (*parts, "class_weights")
        if shape is not None and count != math.prod(shape):
            outputs = amount(math.prod(shape), "output")
            message = f"class_weights has {amount(count, 'number')}; the network has {outputs}"
            yield Issue(path, message, related=output_locations(document))
        if not any(loss.class_weights):
            yield Issue(path, "all class_weights are 0, so that nothing is learnt")
