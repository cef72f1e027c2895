"""Converts layers of a ``.net`` file to layers of a document and their weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from netdesc.exchange.import_neurons import Values, import_neuron
from netdesc.exchange.net_neurons import NO_NEURON
from netdesc.exchange.net_record import AverageLayer, FlattenLayer, InputLayer
from netdesc.exchange.net_synapses import (
    DenseLayer,
    InputNeurons,
    KernelLayer,
    NeuronLayer,
    RecurrentLayer,
    SynapticLayer,
)
from netdesc.hardware.integers import Integers
from netdesc.kernels.fixed_point import WEIGHT_UNIT
from netdesc.neurons.models import NEURONS, NeuronSection
from netdesc.neurons.models.integrator import IDENTITY

JsonObject = dict[str, Any]

SPIKE_LOSS: JsonObject = {"type": "spike_time", "time_constant_ms": 2.0, "filter_order": 2}
CLASS_LOSS: JsonObject = {"type": "spike_max", "mode": "softmax"}
VALUE_LOSS: JsonObject = {"type": "mean_squared_error"}
"""The losses of imported documents. A document requires one, and a ``.net`` file has none."""


class LayerImport(NamedTuple):
    """The result of importing one layer of the file.

    ``sections`` are the layers of the document: none for an input layer, and two for a layer that
    delays what arrives, of which the first only delays. ``loss`` is for networks that end with the
    layer, None if the layer before decides.
    """

    sections: tuple[JsonObject, ...] = ()
    loss: JsonObject | None = None


def _import_average(name: str, layer: AverageLayer) -> LayerImport:
    section = {"name": name, "type": "population_average", "units": layer.outputs}
    return LayerImport((section,), _choose_loss(layer.outputs))


def _import_synapses(name: str, layer: NeuronLayer) -> LayerImport:
    neuron, _ = import_neuron(layer.neuron)
    section: JsonObject = {"name": name, "type": layer.section_type}
    for key, value in layer.fields.items():
        section[key] = [*value] if isinstance(value, tuple) else value
    parsed = NEURONS[neuron["type"]].model_validate_json(json.dumps(neuron))
    section["neuron"] = None if parsed == IDENTITY else neuron
    sections = (section,)
    if layer.delays_inputs:
        (delay_section,), _ = _import_synapses(f"{name}_delay", split_delays(layer)[0])
        sections = (delay_section | {"trainable": False}, section)
    elif layer.delay is not None:
        low, high = int(layer.delay.min()), int(layer.delay.max())
        section["delay"] = {"steps": low}
        if low < high:
            section["delay"] = {"learn": True, "initial_steps": [low, high]}
    if layer.bias is not None:
        section["bias"] = True
    loss = SPIKE_LOSS
    hands_on_numbers = neuron["type"] in ("integrator", "sigma_delta", "delta")
    if hands_on_numbers or layer.neuron.is_graded or layer.neuron.never_spikes:
        loss = _choose_loss(layer.outputs)
    if layer.neuron.never_spikes:
        loss = loss | {"signal": "v"}
    return LayerImport(sections, loss)


def split_delays(layer: NeuronLayer) -> tuple[NeuronLayer, ...]:
    """Returns the layer or, if it delays what arrives, one that only delays, and the layer."""
    if not layer.delays_inputs:
        return (layer,)
    weights = np.array([WEIGHT_UNIT], np.int32), np.array([0], np.int32)
    delays = InputNeurons(weights, NO_NEURON, delay=layer.delay, input_shape=layer.input_shape)
    return delays, replace(layer, delay=None)


def _choose_loss(outputs: int) -> JsonObject:
    """Returns the loss of numbers: one is a value, and several are classes."""
    return VALUE_LOSS if outputs == 1 else CLASS_LOSS


def stored_values(neuron: NeuronSection, values: Values) -> Values:
    """Returns the values that are in a state dict: not thresholds that the document gives."""
    kinds, given = neuron.value_kinds(), neuron.values()
    return {
        name: value
        for name, value in values.items()
        if kinds.get(name) != "threshold" or name in neuron.learn or isinstance(given[name], tuple)
    }


def float_weights(layer: SynapticLayer) -> dict[str, NDArray[np.float32]]:
    """Returns the weights by their names in the state dict of a layer."""
    pairs = zip(layer.weight_names, layer.state_weights, strict=True)
    return {name: _to_float(weight) for name, weight in pairs}


def float_bias(layer: SynapticLayer) -> NDArray[np.float32]:
    """Returns the bias in threshold units, 0 if there is none."""
    bias = np.zeros(layer.channels, np.int32) if layer.bias is None else layer.bias
    return _to_float(bias)


def _to_float(values: Integers) -> NDArray[np.float32]:
    """Divides integers of 24 bits or less by the unit of weights, a power of two. Exact."""
    return np.asarray(np.divide(values, WEIGHT_UNIT, dtype=np.float32), order="C")


IMPORTERS: dict[type, Callable[[str, Any], LayerImport]] = {
    InputLayer: lambda _name, _layer: LayerImport(),
    FlattenLayer: lambda name, _layer: LayerImport(({"name": name, "type": "flatten"},)),
    AverageLayer: _import_average,
    **dict.fromkeys((InputNeurons, DenseLayer, RecurrentLayer, KernelLayer), _import_synapses),
}
"""Class of a record -> what converts its layer, which gets the name in the document."""
