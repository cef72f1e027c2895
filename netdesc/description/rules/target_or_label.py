from netdesc.description.json_pointer import dotted
from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule


@rule(
    "ND227",
    "a sample needs one target or label",
    at="/data/train/0",
    wrong='{"input": {"path": "input.bs1"}, "target": {"path": "target.bs1"}, "label": 1}',
    right='{"input": {"path": "input.bs1"}, "target": {"path": "target.bs1"}}',
)
def check(context: Context) -> Found:
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
