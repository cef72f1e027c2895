"""Tells what netx, lava-dl's loader of ``.net`` files, makes of the layers of a file.

All of this was seen with lava-dl 0.6.0 (``tests/peers/netx_files.py``).
"""

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from netdesc.exchange.hdf5_reader import Hdf5Group
from netdesc.exchange.net_neurons import FORMS
from netdesc.exchange.net_record import AverageLayer, NetFile, NetLayer
from netdesc.exchange.net_synapses import DenseLayer, InputNeurons, KernelLayer, SynapticLayer
from netdesc.hardware.integers import Integers
from netdesc.kernels.fixed_point import DECAY_ONE

Effect = Literal["needs input_shape", "differs", "fails"]
"""netx needs an argument to load the layer, runs another layer, or does not load it."""


class NetxProblem(NamedTuple):
    """What netx makes of a layer that is not in it. ``layer`` is its index in the file."""

    effect: Effect
    text: str
    layer: int = 0


_fails = functools.partial(NetxProblem, "fails")
_differs = functools.partial(NetxProblem, "differs")


def netx_problems(net: NetFile, stored: Sequence[Sequence[NetxProblem]] = ()) -> list[NetxProblem]:
    """Returns the problems of all layers, in their order, then those that are ``stored``.

    ``stored`` are the ``stored_problems`` of each layer of a file that was read.
    """
    computed = [_layer_problems(layer, net.layers[:i]) for i, layer in enumerate(net.layers)]
    by_layer = itertools.chain(enumerate(computed), enumerate(stored))
    return [problem._replace(layer=index) for index, problems in by_layer for problem in problems]


def netx_warnings(net: NetFile, problems: Sequence[NetxProblem], names: Sequence[str]) -> list[str]:
    """Returns a sentence for each problem, with all layers that have it.

    ``names`` are those of the last layers of the file, beginning after a layer of the input alone.
    """
    layers: dict[str, list[str]] = {}
    for problem in problems:
        name = names[problem.layer - len(net.layers)]
        layers.setdefault(problem.text, []).append(f'"{name}"')
    return [
        f"layer{'s' if len(each) > 1 else ''} {', '.join(each)}: {text}"
        for text, each in layers.items()
    ]


def _layer_problems(layer: NetLayer, earlier: Sequence[NetLayer]) -> Iterator[NetxProblem]:
    before = next((other for other in reversed(earlier) if other.kind != "flatten"), None)
    kind = "pool" if isinstance(layer, KernelLayer) and layer.is_pool else layer.kind
    if kind in REFUSED_TYPES:
        yield _fails(f"netx does not load {kind} layers")
    if layer.kind == "conv" and before is None:
        text = "netx needs an input layer before it, or input_shape as an argument"
        yield NetxProblem("needs input_shape", text)
    has_neurons = isinstance(before, SynapticLayer)
    if layer.kind == "flatten" and has_neurons and len(before.output_shape) != 3:
        yield _fails("netx flattens [channels, height, width] only, and fails to load the file")
    if isinstance(layer, SynapticLayer):
        yield from _synaptic_problems(layer)
        if has_neurons and before.neuron.type == "SDNN" != layer.neuron.type:
            text = "netx sends differences in units of 1/4096, which the layer reads as units of 1"
            yield _differs(text)
        if layer.neuron.is_graded:
            yield _differs("netx sends 1 in place of the payload of a graded spike")
        yield from NEURONS.get(layer.neuron.type, lambda _: ())(layer)


REFUSED_TYPES = ("convT", "pool", "unpool", AverageLayer.kind)
"""Types of layers that netx knows and refuses."""


def stored_problems(group: Hdf5Group, layer: NetLayer) -> Iterator[NetxProblem]:
    """Yields what netx makes of the datasets of a layer in a file, which the record leaves out."""
    if group.text("type") == "conv":
        needed = ("neuron", "stride", "padding", "dilation", "groups")
        if missing := [name for name in needed if not group.has(name)]:
            yield _fails(f"netx does not load a conv layer without {', '.join(missing)}")
        if len(group.shape("weight")) < 4:
            yield _fails("netx loads weights of conv layers with four axes only")
        for name in needed[1:4]:
            if group.has(name) and group.shape(name) == (1,):
                yield _fails(f"netx fails to load a {name} of shape [1]")
    elif isinstance(layer, DenseLayer):
        if not group.has("neuron"):
            yield _differs("netx adds up what arrives at a layer without neuron, up to vth 131072")
        shapes = [group.shape(name) for name in layer.weight_datasets]
        if len(shapes[0]) != 1 and any(len(shape) != 2 for shape in shapes):
            text = " and ".join(str(list(shape)) for shape in shapes)
            rule = "netx loads [outputs, inputs] or flat ones"
            yield _fails(f"the weights have shape {text}; {rule}")
        if layer.kind == "dense" and not layer.neuron.form.is_complex and group.has("delay"):
            shape = group.shape("delay")
            if shape not in ((), (layer.inputs,), (layer.outputs,)):
                yield _fails(f"netx fails to load delays of shape {list(shape)}")


def _synaptic_problems(layer: Any) -> Iterator[NetxProblem]:
    has_bias, has_delay = layer.bias is not None, layer.delay is not None
    if isinstance(layer, InputNeurons):
        value = "weight * input + bias"
        way = f"set bias_mant of its neurons to {value}"
        if layer.neuron.is_delta:
            way = f"send {value} to a_in of its neurons"
        yield _differs(f"netx does not connect the input, nor apply weight and bias: {way}")
        if np.any(layer.neuron.numbers.get("iDecay", DECAY_ONE) != DECAY_ONE):
            yield _differs("netx adds the input to the voltage, without the decay of the current")
    elif layer.kind == "dense_rec":  # netx packs the weights of a recurrent layer together
        yield from _packing_problems(np.hstack(layer.weights), "")
    elif layer.kind == "dense":
        parts = (" of the real part", " of the imag part") if len(layer.weights) > 1 else ("",)
        for weight, part in zip(layer.weights, parts, strict=True):
            yield from _packing_problems(weight, part)
    if has_delay and layer.kind == "dense_rec":
        yield _fails("netx fails to load the delays of such a layer")
    elif has_delay and (layer.kind != "dense" or layer.neuron.form.is_complex):
        yield _differs("netx ignores the delays of such a layer")
    elif has_delay and has_bias:
        yield _differs("netx delays what arrives at the neurons, and not their bias")
    if has_bias and layer.neuron.is_sum:
        yield _fails("netx fails to load a bias of neurons whose output is their sum")
    elif has_bias:
        yield _differs(
            "netx adds the bias from the first step on, before the input arrives there; "
            "netdesc run --arithmetic integer --timing lava does so, too"
        )


def _packing_problems(weight: Integers, of_part: str) -> Iterator[NetxProblem]:
    largest, smallest = int(weight.max()), int(weight.min())
    if largest == smallest == 0:
        yield _fails(f"all weights{of_part} are 0; netx fails to load such a layer")
    elif largest <= 0 and (-smallest).bit_count() == 1:
        yield _differs(
            f"no weight{of_part} is above 0 and the smallest is {smallest}, a power of two; "
            "netx loads the smallest weights of such a layer too large"
        )


def _resonator_problems(layer: SynapticLayer) -> Iterator[NetxProblem]:
    """netx computes period and decay, and from them sine and cosine, which it rounds down."""
    kind = layer.neuron.type
    if (plain := kind.removeprefix("AD")) != kind:
        yield _differs(f"netx runs {kind} neurons as {plain}, whose threshold does not adapt")
    sine, cosine = (layer.neuron.numbers[name] / DECAY_ONE for name in ("sinDecay", "cosDecay"))
    period = 1 / (np.arctan2(sine, cosine) / 2 / np.pi)
    factor = 1 - (1 - np.sqrt(sine**2 + cosine**2))
    angle = np.pi * 2 * 1 / period
    loaded = [np.trunc(factor * wave(angle) * DECAY_ONE) for wave in (np.sin, np.cos)]
    if (loaded[0] != sine * DECAY_ONE).any() or (loaded[1] != cosine * DECAY_ONE).any():
        yield _differs("netx loads a sine or cosine of the neurons 1/4096 too small")


def _difference_problems(layer: SynapticLayer) -> Iterator[NetxProblem]:
    neuron = layer.neuron
    if not (neuron.is_sum or neuron.is_delta or neuron.activation == "relu"):
        yield _differs(f'netx computes relu in place of the activation "{neuron.activation}"')


NEURONS: dict[str, Callable[[SynapticLayer], Iterator[NetxProblem]]] = {
    "ALIF": lambda _: iter([_fails("netx fails to load ALIF neurons")]),
    **{kind: _resonator_problems for kind, form in FORMS.items() if form.is_complex},
    "SDNN": _difference_problems,
}
"""Type of a neuron in files -> what netx does not do as slayer does."""
