"""Rules about weights: those of the start, of few bits, and from a layer's own spikes."""

import math

from netdesc.description.json.tree import Parts
from netdesc.description.models.layers.base import DEVICE_LIMITS
from netdesc.description.rules.rule import Context, Found, Issue, RelatedPath, rule
from netdesc.description.shapes import shape_locations
from netdesc.sections import both


@rule("ND236")
def zero_weights(context: Context) -> Found:
    if context.document.weights is not None:
        return
    for index, layer in context.neuron_layers():
        shape, outputs = context.wiring.inputs[index], context.wiring.outputs[index]
        if shape is None or outputs is None or layer.quantization is None or layer.weight_norm:
            continue
        if layer.weight_init == "normal":
            continue  # a few weights are far larger than the others
        scales = {"weight_scale": (layer.weight_scale, layer.weight_shape(shape)[1:])}
        if (own := layer.recurrent_synapses) is not None:
            scales["recurrent_weight_scale"] = own.weight_scale, outputs
        for field, (scale, inputs) in scales.items():
            if isinstance(scale, str):  # it is found with the first batch
                continue
            root = math.sqrt(math.prod(inputs))
            bound = scale / root
            half_step = layer.quantization.scale / 64
            if bound <= half_step:
                least = _round_up(root * half_step)
                ample = _round_up(root * half_step * 4)
                narrower = ", or a smaller range of quantization" if half_step > 1 / 64 else ""
                source = context.wiring.sources[index][0]
                message = f'the initial weights of layer "{layer.name}" are within ±{bound:.3g}, '
                message += f"so all of them become 0 on the grid of steps of {2 * half_step:g}"
                hint = f'use a "{field}" above {least:g}{narrower}'
                notes = (f"with {ample:g} three quarters of the weights are not 0",)
                related = shape_locations(context.document, source, shape)
                yield Issue(("layers", index, field), message, hint, related, notes)


def _round_up(number: float) -> float:
    unit = 10.0 ** (math.floor(math.log10(number)) - 2)
    return round(math.ceil(number / unit) * unit, 12)


@rule("ND251")
def weight_range(context: Context) -> Found:
    for index, layer in context.neuron_layers():
        grid = layer.quantization
        if grid is None:
            continue
        lowest = 2**grid.bits / 64
        if not lowest <= grid.range or math.frexp(grid.range)[0] != 0.5:
            nearest = 2.0 ** round(math.log2(max(grid.range, lowest)))
            message = f"weights of {grid.bits} bits have no range of {grid.range:g}: it is a power "
            message += f"of two from {lowest:g} to 4"
            place = ("layers", index, "quantization", "range")
            yield Issue(place, message, f"the nearest is {nearest:g}")


@rule("ND260")
def recurrent_norm(context: Context) -> Found:
    for index, layer in context.neuron_layers():
        neuron = context.neuron_of(layer)
        if layer.feeds_back and neuron is not None and neuron.norm:
            parts: Parts = ("layers", index, "neuron")
            if isinstance(layer.neuron, str):
                parts = ("neurons", layer.neuron)
            message = f'layer "{layer.name}" is {layer.type_name()}, and its neurons cannot have '
            message += "a norm"
            related = (RelatedPath(("layers", index), "reads its own spikes"),)
            hint = 'set "norm" to null, or use a dense layer'
            yield Issue((*parts, "norm"), message, hint, related)


@rule("ND261")
def winners(context: Context) -> Found:
    for index, layer in context.neuron_layers():
        if layer.drive_share is None:
            continue
        if layer.drive_share < -1:
            message = f'layer "{layer.name}" has more winners than units'
            yield Issue(("layers", index, "winners"), message, "use fewer winners")
        neuron = context.neuron_of(layer)
        if neuron is None:
            continue
        competes = neuron.equations().spike is not None and "threshold" in neuron.values()
        if not competes or len(neuron.definition().inputs) > 1:
            message = f'layer "{layer.name}" needs neurons of one input that spike at a "threshold"'
            hint = 'use neurons such as "cuba", or a layer of type "recurrent"'
            yield Issue(("layers", index, "neuron"), message, hint)


@rule("ND262")
def cut_off(context: Context) -> Found:
    for index, layer in context.neuron_layers():
        neuron, share = context.neuron_of(layer), layer.drive_share
        if neuron is None or share is None or share < -1:
            continue
        _, highest = both(neuron.values().get("threshold", 0.0))
        limits = {"winners": (highest * share, *DEVICE_LIMITS)}
        if (grid := layer.quantization) is not None:
            span = -grid.range, grid.range - grid.scale / 32
            limits |= {name: (weight, *span) for name, weight in layer.own_weights.items()}
        for name, (number, low, high) in limits.items():
            if not low <= number <= high:
                message = f'what neurons of layer "{layer.name}" get is {number:.4g}, and is cut '
                message += f"off at {low if number < low else high:.4g}"
                yield Issue(("layers", index, name), message)
