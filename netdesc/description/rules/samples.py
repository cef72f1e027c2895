"""Rules about samples, their lengths and their values."""

import math

from netdesc.description.json.tree import Parts
from netdesc.description.json_pointer import dotted
from netdesc.description.models import ValueData
from netdesc.description.rules.rule import Context, Found, Issue, RelatedPath, rule
from netdesc.description.shapes import output_locations, trace_shape


@rule("ND227")
def target_or_label(context: Context) -> Found:
    for parts, pair in context.pairs():
        if pair.target is not None and pair.label is not None:
            message = f"{dotted(parts)} has both a target and a label"
            target = RelatedPath((*parts, "target"), "the target")
            at, hint = (*parts, "label"), "keep one of the two"
            yield Issue(at, message, hint, (target,), on="key")
        elif pair.target is None and pair.label is None:
            message = f"{dotted(parts)} has neither a target nor a label"
            yield Issue(parts, message, "add a target or a label")
    data = context.document.data
    arrays = None if data is None else data.as_arrays
    if arrays is not None and None not in (arrays.targets, arrays.multi_hot):
        message = "data names targets and multi-hot labels; a sample has one of them"
        related = (RelatedPath(("data", "targets"), "the targets"),)
        yield Issue(("data", "multi_hot"), message, related=related)


@rule("ND229")
def label_beyond_output(context: Context) -> Found:
    shape = context.wiring.outputs[-1]
    classes = None if shape is None else math.prod(shape)
    for parts, pair in context.pairs():
        if pair.label is not None and classes is not None and pair.label >= classes:
            outputs = f"{classes} outputs: 0 to {classes - 1}" if classes > 1 else "1 output: 0"
            message = f"there is no output {pair.label}; the network has {outputs}"
            trace = trace_shape(context.document, context.wiring, len(context.document.layers) - 1)
            related = output_locations(context.document)
            yield Issue((*parts, "label"), message, related=related, notes=(f"shapes: {trace}",))


@rule("ND231")
def beyond_sample(context: Context) -> Found:
    document, length = context.document, context.document.time.steps
    limits: list[tuple[Parts, int | None, int]] = []
    for parts, loss, index in context.losses():
        steps = length if index is None else context.wiring.steps[index]
        limits.append(((*parts, "window_steps"), loss.window_steps, steps))
        limits.append(((*parts, "skip_steps"), loss.skip_steps, steps - 1))
    if document.classifier is not None:
        window = document.classifier.window_steps
        limits.append((("classifier", "window_steps"), window, context.wiring.steps[-1]))
    arrays = None if document.data is None else document.data.train_arrays
    within = None if arrays is None else arrays.encoding.spread_steps
    limits.append((("data", "encoding", "within_steps"), within, length))
    for index, change in enumerate(() if document.data is None else document.data.augmentation):
        if change.reach_field is not None:
            size = length if change.reach_field == "max_steps" else min(document.input.shape[-2:])
            parts = ("data", "augmentation", index, change.reach_field)
            limits.append((parts, getattr(change, change.reach_field), size - 1))
    for parts, steps, most in limits:
        if steps is not None and steps > most:
            message = f"{parts[-1]} is {steps}, and a sample allows at most {most}"
            related = (RelatedPath(("time", "steps"), "the length of a sample"),)
            yield Issue(parts, message, related=related)


@rule("ND247")
def scaled_range(context: Context) -> Found:
    data = context.document.data
    if not isinstance(data, ValueData):
        return
    ends, encoding = data.to, data.encoding
    if ends[0] == ends[1]:
        yield Issue(("data", "to", 1), f"both ends of data.to are {ends[1]:g}")
    elif not encoding.is_real:
        for index, end in enumerate(ends):
            if not 0 <= end <= 1:
                message = f'"{encoding.type}" takes values from 0 to 1, and data.to names {end:g}'
                yield Issue(("data", "to", index), message)
