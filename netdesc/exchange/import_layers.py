"""Converts layers of a ``.net`` file to layers of a document and their weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

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


@dataclass(frozen=True)
class LayerImport:
    """The result of importing one layer of the file.

    ``section`` is the layer's section of the document, None for an input layer. ``weights`` have
    the names of the state dict. ``neuron`` is the type of the neurons, "none" if the document's is
    null, and empty for a layer without synapses. ``threshold`` is None if they have none.
    ``synapses`` is the number of weights. ``loss`` is for networks that end with the layer, None
    if the layer before decides. ``delay_layer`` is one in front of it that delays what arrives.
    """

    section: JsonObject | None = None
    weights: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    neuron: str = ""
    threshold: float | None = None
    synapses: int = 0
    loss: JsonObject | None = None
    delay_layer: LayerImport | None = None

    @property
    def layers(self) -> tuple[LayerImport, ...]:
        """The layers of the document."""
        return (self.delay_layer, self) if self.delay_layer else (self,)


def _import_input(_name: str, _layer: InputLayer) -> LayerImport:
    return LayerImport()


def _import_flatten(name: str, _layer: FlattenLayer) -> LayerImport:
    return LayerImport({"name": name, "type": "flatten"})


def _import_average(name: str, layer: AverageLayer) -> LayerImport:
    section = {"name": name, "type": "population_average", "units": layer.outputs}
    return LayerImport(section, loss=_choose_loss(layer.outputs))


def _import_synapses(name: str, layer: NeuronLayer) -> LayerImport:
    imported = import_neuron(layer.neuron)
    neuron = imported.section
    section: JsonObject = {"name": name, "type": layer.section_type}
    for key, value in layer.fields.items():
        section[key] = [*value] if isinstance(value, tuple) else value
    section["neuron"] = neuron
    state = float_weights(layer)
    parsed = NEURONS[neuron["type"]].model_validate_json(json.dumps(neuron))
    kind = neuron["type"]
    if parsed == IDENTITY:
        section["neuron"], kind = None, "none"
    for value, array in stored_values(parsed, imported.values).items():
        state[f"neuron.{value}"] = array
    delay_layer: LayerImport | None = None
    if layer.delays_inputs:
        delay_layer = _import_synapses(f"{name}_delay", split_delays(layer)[0])
        assert delay_layer.section is not None
        delay_layer.section["trainable"] = False
    elif layer.delay is not None:
        low, high = int(layer.delay.min()), int(layer.delay.max())
        section["delay"] = {"steps": low}
        if low < high:
            section["delay"] = {"learn": True, "initial_steps": [low, high]}
            state["neuron.axonal.delay"] = layer.delay.astype(np.float32)
    if layer.bias is not None:
        section["bias"] = True
        state["neuron.bias"] = float_bias(layer)
    weights = {f"layers.{name}.{part}": array for part, array in state.items()}
    synapses = sum(weight.size for weight in layer.state_weights)
    loss = SPIKE_LOSS
    if imported.is_graded or layer.neuron.never_spikes:
        loss = _choose_loss(layer.outputs)
    if layer.neuron.never_spikes:
        loss = loss | {"signal": "v"}
    return LayerImport(section, weights, kind, neuron.get("threshold"), synapses, loss, delay_layer)


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
    InputLayer: _import_input,
    FlattenLayer: _import_flatten,
    AverageLayer: _import_average,
    **dict.fromkeys((InputNeurons, DenseLayer, RecurrentLayer, KernelLayer), _import_synapses),
}
"""Class of a record -> what converts its layer, which gets the name in the document."""
