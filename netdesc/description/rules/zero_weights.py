import math

from netdesc.description.rules.rule import Context, Found, RuleDiagnostic, rule
from netdesc.description.shape_trace import shape_locations


@rule(
    "ND236",
    "initial weights that all become zero on the device",
    at="/layers/0/weight_scale",
    wrong="0.03",
    right="1",
    severity="warning",
)
def check(context: Context) -> Found:
    """Initial weights are uniform in ±weight_scale/sqrt(inputs), and netdesc trains with their
    values on the grid of the layer's quantization, by default 2·round(32·w). Weights up to half a
    step, by default 1/64, become 0 there, so the layer would receive no input and learn nothing.

    Use a larger weight_scale, a smaller range of quantization, set weight_norm to true, or set
    quantization to null if the layer should stay in floating point.
    """
    if context.document.weights is not None:
        return
    for index, layer in context.neuron_layers():
        shape, outputs = context.wiring.inputs[index], context.wiring.outputs[index]
        if shape is None or outputs is None or layer.quantization is None or layer.weight_norm:
            continue
        if layer.weight_init == "normal":
            continue  # a few weights are far larger than the others
        scales = {"weight_scale": (layer.weight_scale, layer.weight_shape(shape)[1:])}
        own = layer.recurrent_synapses
        if own is not None:
            scales["recurrent_weight_scale"] = own.weight_scale, outputs
        for field, (scale, inputs) in scales.items():
            root = math.sqrt(math.prod(inputs))
            bound = scale / root
            half_step = layer.quantization.scale / 64
            if bound <= half_step:
                least = _round_up(root * half_step)
                ample = _round_up(root * half_step * 4)
                narrower = ", or a smaller range of quantization" if half_step > 1 / 64 else ""
                source = context.wiring.sources[index][0]
                yield RuleDiagnostic(
                    ("layers", index, field),
                    f'the initial weights of layer "{layer.name}" are within ±{bound:.3g}, so all '
                    f"of them become 0 on the grid of steps of {2 * half_step:g}",
                    hint=f'use a "{field}" above {least:g}{narrower}',
                    notes=(f"with {ample:g} three quarters of the weights are not 0",),
                    related=shape_locations(context.document, source, shape),
                )


def _round_up(number: float) -> float:
    """Rounds the positive number up to three significant digits."""
    unit = 10.0 ** (math.floor(math.log10(number)) - 2)
    return round(math.ceil(number / unit) * unit, 12)
