from netdesc.description.rules.rule import Context, Found, RuleDiagnostic, rule
from netdesc.description.shape_trace import output_locations, trace_shape


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
def check(context: Context) -> Found:
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
