"""Converts a layer's neurons to those of a ``.net`` file, and tells what netx makes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from netdesc.exchange.errors import LayerError
from netdesc.exchange.net_neurons import FORMS, NUMBERS, READOUT_THRESHOLD, NetNeuron
from netdesc.exchange.net_synapses import NeuronLayer, SynapticLayer
from netdesc.hardware.integers import Integers, LayerIntegers
from netdesc.kernels.fixed_point import DECAY_ONE
from netdesc.neurons.models import NeuronSection


class Source(NamedTuple):
    """Neurons to export."""

    section: NeuronSection
    integers: Mapping[str, Integers]
    """Parameters of the equations, [] or [neurons]."""
    reads_graded: bool
    """Whether what the layer reads is graded."""


def export_neuron(section: NeuronSection, layer: LayerIntegers, *, reads_graded: bool) -> NetNeuron:
    """Converts neurons. ``layer`` holds their integers.

    LayerError if the format has no such neurons; its text goes on from the layer's name.
    """
    if section.net_problem is not None:
        problem, hint = section.net_problem
        raise LayerError("", problem, hint=hint)
    export = EXPORTERS[section.type_name()]
    return export(Source(section, layer.parameters, reads_graded))


def _as(kind: str, **more: int) -> Callable[[Source], NetNeuron]:
    """Returns what exports neurons as ``kind``. ``more`` are integers that the neurons lack."""

    def export(source: Source) -> NetNeuron:
        numbers: dict[str, Integers] = {}
        for name in FORMS[kind].numbers:
            known = NUMBERS[name]
            values = np.int32(more.get(known.parameter, source.integers.get(known.parameter, 0)))
            if not known.can_differ and values.size:
                if (values != values.flat[0]).any():
                    raise _differing(known.parameter)
                values = values.flat[0]
            numbers[name] = np.asarray(values)
        return NetNeuron(kind, numbers)

    return export


def _differing(parameter: str) -> LayerError:
    hint = (
        f"train with one {parameter} for the layer, and do not learn it where per_channel is true"
    )
    return LayerError("", f"has a {parameter} for each neuron", hint=hint)


def _export_sigma_delta(source: Source) -> NetNeuron:
    neuron = _as("SDNN")(source)
    return NetNeuron("SDNN", neuron.numbers, getattr(source.section, "activation", ""))


def _export_delta(source: Source) -> NetNeuron:
    """slayer names an activation of its delta encoders, which do not compute it."""
    return NetNeuron("SDNN", _as("SDNN")(source).numbers, "relu", is_delta=True)


def _export_integrator(source: Source) -> NetNeuron:
    """A sum of differences is the output layer of slayer's sigma-delta networks."""
    current, voltage = (source.integers[name] for name in ("current_decay", "voltage_decay"))
    if source.reads_graded and (current == DECAY_ONE).all() and not voltage.any():
        return NetNeuron("SDNN", {"vThMant": np.array(0, np.int32)}, "identity", is_sum=True)
    return _as("CUBA", threshold=READOUT_THRESHOLD)(source)


EXPORTERS: dict[str, Callable[[Source], NetNeuron]] = {
    form.kind: _as(kind) for kind, form in FORMS.items()
} | {
    "lif": _as("CUBA", current_decay=DECAY_ONE),
    "sigma_delta": _export_sigma_delta,
    "delta": _export_delta,
    "integrator": _export_integrator,
}
"""Type of a neuron in a document -> what converts it. The others have a ``net_problem``."""


def netx_problems(layer: NeuronLayer) -> Iterator[str]:
    """Yields what netx (lava-dl's loader of ``.net`` files) makes of a layer that is not in it."""
    if layer.kind in NETX_REFUSES:
        yield f"netx does not load {layer.kind} layers"
    for name, weight in zip(layer.weight_datasets, layer.weights, strict=True):
        yield from _weight_problems(weight, _WEIGHTS_OF[name])
    if layer.delay is not None and layer.kind == "dense_rec":
        yield "netx fails to load the delays of such a layer"
    elif layer.delay is not None and (layer.kind != "dense" or layer.neuron.form.is_complex):
        yield "netx ignores the delays of such a layer"
    elif layer.delay is not None and layer.bias is not None:
        yield "netx delays what arrives at the neurons, and not their bias"
    yield from NETX.get(layer.neuron.type, lambda _: ())(layer)


_WEIGHTS_OF = {
    "weight": "",
    "weight/real": " of the real part",
    "weight/imag": " of the imag part",
    "weight_rec": " from the layer's own spikes",
}
"""Dataset -> the words that follow "weights" or "weight"."""


def _weight_problems(weight: Integers, of_part: str) -> Iterator[str]:
    largest, smallest = int(weight.max()), int(weight.min())
    if largest == smallest == 0:
        yield f"all weights{of_part} are 0; netx fails to load such a layer"
    elif largest <= 0 and (-smallest).bit_count() == 1:
        yield (
            f"no weight{of_part} is above 0 and the smallest is {smallest}, a power of two; "
            "netx loads the smallest weights of such a layer at half their value or less"
        )


NETX_REFUSES = ("convT", "pool", "unpool")
"""Types of layers that netx knows and refuses."""


def _alif_problems(_layer: SynapticLayer) -> Iterator[str]:
    yield "netx fails to load ALIF neurons"


def _adaptive_problems(layer: SynapticLayer) -> Iterator[str]:
    kind = layer.neuron.type.removeprefix("AD")
    yield f"netx runs {layer.neuron.type} neurons as {kind}, whose threshold does not adapt"
    yield from _resonator_problems(layer)


def _resonator_problems(layer: SynapticLayer) -> Iterator[str]:
    """netx computes period and decay, and from them sine and cosine, which it rounds down."""
    sine, cosine = (layer.neuron.numbers[name] / DECAY_ONE for name in ("sinDecay", "cosDecay"))
    period = 1 / (np.arctan2(sine, cosine) / 2 / np.pi)
    kept = 1 - (1 - np.sqrt(sine**2 + cosine**2))
    angle = np.pi * 2 * 1 / period
    loaded = [np.trunc(kept * wave(angle) * DECAY_ONE) for wave in (np.sin, np.cos)]
    if (loaded[0] != sine * DECAY_ONE).any() or (loaded[1] != cosine * DECAY_ONE).any():
        yield "netx loads a sine or cosine of the neurons 1/4096 too small"


def _difference_problems(layer: SynapticLayer) -> Iterator[str]:
    if layer.neuron.is_sum:
        yield (
            "netx adds up what arrives in 64 times finer units; the integrator cuts it to 1/4096 "
            "in each step, so that outputs differ by more with each step"
        )
        if layer.bias is not None:
            yield "netx fails to load a bias of neurons that hand on their sum"
    if not layer.neuron.is_sum and layer.neuron.activation != "relu":
        yield f'netx computes relu in place of the activation "{layer.neuron.activation}"'


NETX: dict[str, Callable[[SynapticLayer], Iterator[str]]] = {
    "ALIF": _alif_problems,
    "RF_PHASE": _resonator_problems,
    "RF_IZHIKEVICH": _resonator_problems,
    "ADRF_PHASE": _adaptive_problems,
    "ADRF_IZHIKEVICH": _adaptive_problems,
    "SDNN": _difference_problems,
}
"""Type of a neuron in files -> what netx does not do as slayer does."""
