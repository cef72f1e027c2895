"""Rules about samples, their lengths and their values."""

from __future__ import annotations

from netdesc.description.json.tree import Parts
from netdesc.description.json_pointer import dotted
from netdesc.description.models import ValueData
from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule
from netdesc.description.shapes import output_locations, trace_shape


@rule(
    "ND227",
    "a sample needs one target or label",
    at="/data/train/0",
    wrong='{"input": {"path": "input.bs1"}, "target": {"path": "target.bs1"}, "label": 1}',
    right='{"input": {"path": "input.bs1"}, "target": {"path": "target.bs1"}}',
)
def target_or_label(context: Context) -> Found:
    """A sample says what the network should do with its input: either the spikes that the last
    layer should emit (target), or the index of the output neuron that should spike most (label).
    Arrays have labels, or name targets or multi_hot in their place.

    Give what the loss learns from: targets for spike_time and mean_squared_error, multi_hot for
    spike_moid, labels for the other losses.
    """
    for parts, pair in context.pairs():
        if pair.target is not None and pair.label is not None:
            message = f"{dotted(parts)} has both a target and a label"
            target = RelatedPath((*parts, "target"), "the target")
            at, hint = (*parts, "label"), "keep one of the two"
            yield RuleDiagnostic(at, message, hint, on="key", related=(target,))
        elif pair.target is None and pair.label is None:
            message = f"{dotted(parts)} has neither a target nor a label"
            yield RuleDiagnostic(parts, message, hint="add a target or a label")
    data = context.document.data
    arrays = None if data is None else data.as_arrays
    if arrays is not None and None not in (arrays.targets, arrays.multi_hot):
        yield RuleDiagnostic(
            ("data", "multi_hot"),
            "data names targets and multi-hot labels; a sample has one of them",
            related=(RelatedPath(("data", "targets"), "the targets"),),
        )


@rule(
    "ND229",
    "a label beyond the outputs",
    at="/data",
    wrong=(
        '{"type": "spike_files",\n'
        ' "train": [{"input": {"path": "input.bs1"}, "label": 1},\n'
        '           {"input": {"path": "input.bs1"}, "label": 2}]}'
    ),
    right=(
        '{"type": "spike_files",\n'
        ' "train": [{"input": {"path": "input.bs1"}, "label": 0},\n'
        '           {"input": {"path": "input.bs1"}, "label": 1}]}'
    ),
    data="labels",
)
def label_beyond_output(context: Context) -> Found:
    """A label is the index of an output neuron, counted from 0. The last layer has fewer.

    Correct the label, or give the last layer one unit per class.
    """
    classes = context.wiring.classes
    for parts, pair in context.pairs():
        if pair.label is not None and classes is not None and pair.label >= classes:
            outputs = f"{classes} outputs: 0 to {classes - 1}" if classes > 1 else "1 output: 0"
            message = f"there is no output {pair.label}; the network has {outputs}"
            trace = trace_shape(context.document, context.wiring, len(context.document.layers) - 1)
            yield RuleDiagnostic(
                (*parts, "label"),
                message,
                notes=(f"shapes: {trace}",),
                related=output_locations(context.document),
            )


@rule(
    "ND231",
    "more steps than a sample has",
    at="/loss",
    wrong='{"type": "spike_rate", "window_steps": 200}',
    right='{"type": "spike_rate", "window_steps": 20}',
    data="labels",
)
def beyond_sample(context: Context) -> Found:
    """A moving window covers the last window_steps steps, latency encoding spreads the spikes of a
    sample over within_steps steps, and a loss skips the first skip_steps steps. A sample has fewer
    steps, or none is left. An augmentation that moves inputs by as many steps as a sample has, or
    by as many pixels as an axis, leaves no inputs.

    Use a smaller number, or null, which means the whole sample.
    """
    document, length = context.document, context.document.time.steps
    found: list[tuple[Parts, int | None, int]] = []
    for parts, loss in context.losses():
        index = context.layer_of(loss)
        steps = length if index is None else context.wiring.steps[index]
        found.append(((*parts, "window_steps"), loss.window_steps, steps))
        found.append(((*parts, "skip_steps"), loss.skip_steps, steps - 1))
    if document.classifier is not None:
        window = document.classifier.window_steps
        found.append((("classifier", "window_steps"), window, context.wiring.steps[-1]))
    arrays = None if document.data is None else document.data.train_arrays
    within = None if arrays is None else arrays.encoding.spread_steps
    found.append((("data", "encoding", "within_steps"), within, length))
    for index, change in enumerate(() if document.data is None else document.data.augmentation):
        if change.reach_field is not None:
            size = length if change.reach_field == "max_steps" else min(document.input.shape[-2:])
            parts = ("data", "augmentation", index, change.reach_field)
            found.append((parts, getattr(change, change.reach_field), size - 1))
    for parts, steps, most in found:
        if steps is not None and steps > most:
            yield RuleDiagnostic(
                parts,
                f"{parts[-1]} is {steps}, and a sample allows at most {most}",
                related=(RelatedPath(("time", "steps"), "the length of a sample"),),
            )


@rule(
    "ND247",
    "values that are scaled to what the encoding cannot take",
    at="/data/to",
    wrong="[0, 2]",
    right="[0, 0.5]",
    data="labels",
)
def scaled_range(context: Context) -> Found:
    """data.range is scaled to data.to. For the encoding rate, the result is a share of max_rate,
    and for latency, it says how early a spike comes, so both ends must lie between 0 and 1. If
    the two ends are equal, all inputs are the same.

    Write two different numbers from 0 to 1, or use the encoding constant, which takes any numbers.
    """
    data = context.document.data
    if not isinstance(data, ValueData):
        return
    ends, encoding = data.to, data.encoding
    if ends[0] == ends[1]:
        yield RuleDiagnostic(("data", "to", 1), f"both ends of data.to are {ends[1]:g}")
    elif not encoding.is_real:
        for index, end in enumerate(ends):
            if not 0 <= end <= 1:
                message = f'"{encoding.type}" takes values from 0 to 1, and data.to names {end:g}'
                yield RuleDiagnostic(("data", "to", index), message)
