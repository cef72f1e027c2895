"""Rules about weights: those of the start, of few bits, and from a layer's own spikes."""

from __future__ import annotations

import math

from netdesc.description.json.tree import Parts
from netdesc.description.models.layers.base import DEVICE_LIMITS
from netdesc.description.rules.rule import Context, Found, RelatedPath, RuleDiagnostic, rule
from netdesc.description.shapes import shape_locations


@rule(
    "ND236",
    "initial weights that all become zero on the device",
    at="/layers/0/weight_scale",
    wrong="0.03",
    right="1",
    severity="warning",
)
def zero_weights(context: Context) -> Found:
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


@rule(
    "ND251",
    "a range of weights that the device does not have",
    at="/layers/0/quantization",
    wrong='{"bits": 4, "range": 3}',
    right='{"bits": 4, "range": 2}',
)
def weight_range(context: Context) -> Found:
    """Weights of few bits are multiples of a step, 2·range/2^bits, which is a power of two and at
    least 1/32. So the range is a power of two from 2^bits/64 to 4.

    Use such a range, or more bits.
    """
    for index, layer in context.neuron_layers():
        grid = layer.quantization
        if grid is None:
            continue
        lowest = 2**grid.bits / 64
        if not lowest <= grid.range or math.frexp(grid.range)[0] != 0.5:
            nearest = 2.0 ** round(math.log2(max(grid.range, lowest)))
            yield RuleDiagnostic(
                ("layers", index, "quantization", "range"),
                f"weights of {grid.bits} bits have no range of {grid.range:g}: it is a power of "
                f"two from {lowest:g} to 4",
                hint=f"the nearest is {nearest:g}",
            )


@rule(
    "ND260",
    "a norm in a recurrent layer",
    at="/layers/0",
    wrong='{"name": "hidden", "type": "recurrent", "units": 32,\n'
    ' "neuron": {"type": "lif", "threshold": 1, "voltage_decay": 0.1, "norm": "mean"}}',
    right='{"name": "hidden", "type": "recurrent", "units": 32,\n'
    ' "neuron": {"type": "lif", "threshold": 1, "voltage_decay": 0.1}}',
)
def recurrent_norm(context: Context) -> Found:
    """A norm subtracts the mean over all steps of a batch. In a recurrent layer, what arrives in a
    step depends on the spikes of the step before, so that the mean is not known in time.

    Set norm to null in the neuron of a recurrent or winner_take_all layer.
    """
    for index, layer in context.neuron_layers():
        neuron = context.neuron_of(layer)
        if layer.feeds_back and neuron is not None and neuron.norm:
            parts: Parts = ("layers", index, "neuron")
            if isinstance(layer.neuron, str):
                parts = ("neurons", layer.neuron)
            yield RuleDiagnostic(
                (*parts, "norm"),
                f'layer "{layer.name}" is {layer.type_name()}, and its neurons cannot have a norm',
                hint='set "norm" to null, or use a dense layer',
                related=(RelatedPath(("layers", index), "reads its own spikes"),),
            )


@rule(
    "ND261",
    "neurons that cannot compete",
    at="/layers/0",
    wrong='{"name": "a", "type": "winner_take_all", "units": 8, "winners": 9, "neuron": "cuba"}',
    right='{"name": "a", "type": "winner_take_all", "units": 8, "winners": 2, "neuron": "cuba"}',
)
def winners(context: Context) -> Found:
    """In a winner_take_all layer, neurons that spike inhibit the others, and the number of winners
    is set by a current of threshold·(units − 2·winners)/units.

    Use at most as many winners as there are units, and neurons that have one input and spike at a
    parameter named threshold.
    """
    for index, layer in context.neuron_layers():
        if layer.drive_share is None:
            continue
        if layer.drive_share < -1:
            message = f'layer "{layer.name}" has more winners than units'
            yield RuleDiagnostic(("layers", index, "winners"), message, hint="use fewer winners")
        neuron = context.neuron_of(layer)
        if neuron is None:
            continue
        competes = neuron.equations().spike is not None and "threshold" in neuron.values()
        if not competes or len(neuron.definition().inputs) > 1:
            yield RuleDiagnostic(
                ("layers", index, "neuron"),
                f'layer "{layer.name}" needs neurons of one input that spike at a "threshold"',
                hint='use neurons such as "cuba", or a layer of type "recurrent"',
            )


@rule(
    "ND262",
    "what neurons of a winner_take_all layer get is cut off",
    at="/layers/0",
    wrong='{"name": "a", "type": "winner_take_all", "units": 8, "winners": 1,\n'
    ' "neuron": {"type": "lif", "threshold": 10, "voltage_decay": 0.1}}',
    right='{"name": "a", "type": "winner_take_all", "units": 8, "winners": 1,\n'
    ' "neuron": {"type": "lif", "threshold": 1, "voltage_decay": 0.1}}',
    severity="warning",
)
def cut_off(context: Context) -> Found:
    """The current that sets the number of winners, threshold·(units − 2·winners)/units, is on the
    device's grid from -4 to 3.97, and self_excitation and inhibition are on the grid of the layer's
    weights. Training cuts off what is beyond, as the device does.

    Use a smaller threshold or weights, more winners, or a larger range of quantization.
    """
    for index, layer in context.neuron_layers():
        neuron, share = context.neuron_of(layer), layer.drive_share
        if neuron is None or share is None or share < -1:
            continue
        threshold: float | tuple[float, float] = neuron.values().get("threshold", 0.0)
        highest = threshold[1] if isinstance(threshold, tuple) else threshold
        limits = {"winners": (highest * share, *DEVICE_LIMITS)}
        if (grid := layer.quantization) is not None:
            span = -grid.range, grid.range - grid.scale / 32
            limits |= {name: (weight, *span) for name, weight in layer.own_weights.items()}
        for name, (number, low, high) in limits.items():
            if not low <= number <= high:
                yield RuleDiagnostic(
                    ("layers", index, name),
                    f'what neurons of layer "{layer.name}" get is {number:.4g}, and is cut off at '
                    f"{low if number < low else high:.4g}",
                )
