"""Converts layers of a ``.net`` file and their neurons to sections of a document, with values."""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from netdesc.exchange.errors import LayerError
from netdesc.exchange.net_neurons import NO_NEURON, NUMBERS, NetNeuron
from netdesc.exchange.net_record import AverageLayer, FlattenLayer, InputLayer
from netdesc.exchange.net_synapses import (
    DenseLayer,
    InputNeurons,
    KernelLayer,
    NeuronLayer,
    RecurrentLayer,
)
from netdesc.hardware.integers import INTEGERS, Integers, integer_parameters
from netdesc.kernels.fixed_point import DECAY_ONE, WEIGHT_UNIT
from netdesc.neurons.models import NEURONS, NeuronSection
from netdesc.neurons.models.integrator import IDENTITY
from netdesc.neurons.models.rf import DECAYS, PERIODS

Values = dict[str, NDArray[np.float32]]
"""Values of neurons by their names in a document, [] or [neurons]."""

_UNITS = {"threshold": WEIGHT_UNIT, "threshold_step": WEIGHT_UNIT}
"""Parameter -> the integer that stands for 1, if it is not that of decays."""


class ImportedNeuron(NamedTuple):
    """Neurons as a document has them. ``values`` are exact, also where the section has ranges."""

    section: dict[str, Any]
    values: Values


def import_neuron(neuron: NetNeuron) -> ImportedNeuron:
    """Converts neurons. LayerError if a document cannot have neurons with these integers."""
    if neuron.is_sum:  # the sum of what arrives
        decays = {"current_decay": 1, "voltage_decay": 0}
        values = {name: np.array(decay, np.float32) for name, decay in decays.items()}
        return ImportedNeuron({"type": "integrator", "fine_units": True}, values)
    values: Values = {}
    for dataset, integers in neuron.numbers.items():
        name = NUMBERS[dataset].parameter
        values[name] = np.asarray(integers / _UNITS.get(name, DECAY_ONE), np.float32)
    kind = neuron.kind
    if neuron.is_readout:
        del values["threshold"]
    if neuron.form.is_complex:
        values = _with_period(kind, neuron, values)
    section: dict[str, Any] = {"type": kind} | field_values(values)
    if neuron.activation and not neuron.is_delta:
        section["activation"] = neuron.activation
    if any(value.ndim for value in values.values()):
        section["per_channel"] = True
    if neuron.is_graded:
        section["graded"] = True
    return ImportedNeuron(section, values)


def field_values(values: Values) -> dict[str, float | list[float]]:
    """Returns values as the fields of a section have them: a range where neurons differ."""
    limits = {name: (float(value.min()), float(value.max())) for name, value in values.items()}
    return {name: low if low == high else [low, high] for name, (low, high) in limits.items()}


def _with_period(kind: str, neuron: NetNeuron, values: Values) -> Values:
    """Replaces sine and cosine by a period and a decay that round to the same integers."""
    sine, cosine = (neuron.numbers[name].astype(np.float64) for name in ("sinDecay", "cosDecay"))
    length = np.hypot(sine, cosine)
    angle = np.arctan2(sine, cosine)
    # Rounding may have made the vector longer than any decay does: then look for an angle at the
    # smallest decay of which sine and cosine round to it.
    longest = DECAY_ONE * (1 - DECAYS[0])
    is_long = length >= longest
    sides = np.clip(np.array([sine - 0.5, sine + 0.5, cosine + 0.5, cosine - 0.5]) / longest, 0, 1)
    low = np.maximum(np.arcsin(sides[0]), np.arccos(sides[2]))
    high = np.minimum(np.arcsin(sides[1]), np.arccos(sides[3]))
    angle = np.where(is_long, (low + high) / 2, angle)
    decay = np.where(is_long, DECAYS[0], 1 - length / DECAY_ONE)
    period = np.clip(2 * math.pi / angle, *PERIODS)
    polar = {"period": np.asarray(period, np.float32), "decay": np.asarray(decay, np.float32)}
    exact = {name: np.float64(value) for name, value in polar.items()}
    derived = NEURONS[kind].model_construct().derive(np, exact)
    for dataset in ("sinDecay", "cosDecay"):
        name = NUMBERS[dataset].parameter
        is_same = INTEGERS["factor"](derived[name]) == neuron.numbers[dataset]
        if not is_same.all():
            index = tuple(np.argwhere(~is_same)[0])
            numbers = f"{sine[index]:.0f}, {cosine[index]:.0f}"
            problem = f"has the sine and cosine {numbers}, which no period and decay of at least "
            raise LayerError(f"neuron/{dataset}", f"{problem}1/4096 have")
        del values[name]
    return polar | values


def import_as(section: NeuronSection, neuron: NetNeuron) -> ImportedNeuron:
    """Converts neurons to those of a document: lif are CUBA neurons without current in a file."""
    imported = import_neuron(neuron)
    is_lif = section.type_name() == "lif" and imported.section["type"] == "cuba"
    if is_lif and (imported.values["current_decay"] == 1).all():
        imported.section["type"] = "lif"
        del imported.values["current_decay"]
    return imported


def neuron_differences(neuron: NetNeuron, section: NeuronSection) -> Iterator[str]:
    """Yields what neurons of a file and of a document differ in, and which the network has.

    Values that are drawn or learnt are not compared: those of the file are initial ones.
    """
    imported, kinds, own = import_as(section, neuron), section.value_kinds(), section.values()
    values, fields = imported.values, {"graded": False, "fine_units": False} | imported.section
    if fields["type"] != section.type_name():
        yield f'type "{section.type_name()}" as in the document (file: "{fields["type"]}")'
        return
    for name in ("graded", "activation", "fine_units"):
        mine = getattr(section, name, fields.get(name))
        if name in fields and fields[name] != mine:
            yield f"{name} {mine} as in the document (file: {fields[name]})"
    free = {name for name, each in own.items() if isinstance(each, tuple) or name in section.learn}
    given = own | {name: values[name] for name in values if name in free}
    definition, both = section.definition(), (given, given | values)
    mine, theirs = (integer_parameters(definition, section.derive(np, each)) for each in both)
    differing = {name for name in mine if not (mine[name] == theirs[name]).all()}
    for name in values:
        # Sine and cosine are derived from values with other names.
        if name in free or not (name in differing if name in mine else differing - values.keys()):
            continue
        low, high = values[name].min(), values[name].max()
        in_file = f"{low:g}" if low == high else f"{low:g} to {high:g}"
        if kinds[name] == "threshold":
            yield f"{name} {own[name]:g} as in the document (file: {in_file})"
        else:
            yield f"{name} {in_file} as in the file (document: {own[name]:g})"


def name_neurons(layers: list[dict[str, Any]]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Moves the ``neuron`` sections of layers into one table, where equal sections share a name.

    Returns the table, and the layers with names instead of sections. ``layers`` stays unchanged.
    """
    neurons: dict[str, Any] = {}
    named_layers = []
    for layer in layers:
        if (neuron := layer.get("neuron")) is not None:
            new = f"{neuron['type']}{len(neurons) + 1}"
            name = next((name for name, known in neurons.items() if known == neuron), new)
            neurons[name] = neuron
            layer = {**layer, "neuron": name}
        named_layers.append(layer)
    return neurons, named_layers


JsonObject = dict[str, Any]

SPIKE_LOSS: JsonObject = {"type": "spike_time", "time_constant_ms": 2.0, "filter_order": 2}
NUMBERS_LOSS = {"type": "mean_squared_error"}, {"type": "spike_max", "mode": "softmax"}
"""The losses of imported documents, of spikes, a value and classes. A ``.net`` file has none."""


class LayerImport(NamedTuple):
    """The result of importing one layer of the file.

    ``sections`` are the layers of the document: none for an input layer, and two for a layer that
    delays what arrives, of which the first only delays. ``loss`` is for networks that end with the
    layer, None if the layer before decides.
    """

    sections: tuple[JsonObject, ...] = ()
    loss: JsonObject | None = None


def _import_synapses(name: str, layer: NeuronLayer) -> LayerImport:
    neuron, _ = import_neuron(layer.neuron)
    section: JsonObject = {"name": name, "type": layer.section_type}
    for key, value in layer.fields.items():
        section[key] = [*value] if isinstance(value, tuple) else value
    parsed = neuron_section(neuron)
    if parsed.equations().spike is not None:
        neuron |= {"tau_grad": 1.0, "scale_grad": 1.0}  # slayer's defaults, used by most networks
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
        loss = NUMBERS_LOSS[layer.outputs > 1]
    if layer.neuron.never_spikes:
        loss = loss | {"signal": "v"}
    return LayerImport(sections, loss)


def neuron_section(section: JsonObject) -> NeuronSection:
    return NEURONS[section["type"]].model_validate_json(json.dumps(section))


def split_delays(layer: NeuronLayer) -> tuple[NeuronLayer, ...]:
    """Returns the layer or, if it delays what arrives, one that only delays, and the layer."""
    if not layer.delays_inputs:
        return (layer,)
    weights = np.array([WEIGHT_UNIT], np.int32), np.array([0], np.int32)
    delays = InputNeurons(weights, NO_NEURON, delay=layer.delay, input_shape=layer.input_shape)
    return delays, replace(layer, delay=None)


def neuron_state(neuron: NeuronSection, values: Values, channels: int) -> Values:
    """Returns the values that are in a state dict, by their names in that of the layer: not
    thresholds that the document gives. A shared value is repeated where neurons have their own.
    """
    kinds, given = neuron.value_kinds(), neuron.values()
    return {
        f"neuron.{name}": value.repeat(channels) if neuron.per_channel and not value.ndim else value
        for name, value in values.items()
        if kinds.get(name) != "threshold" or name in neuron.learn or isinstance(given[name], tuple)
    }


def to_float(values: Integers) -> NDArray[np.float32]:
    """Divides integers of 24 bits or less by the unit of weights, a power of two. Exact."""
    return np.asarray(np.divide(values, WEIGHT_UNIT, dtype=np.float32), order="C")


IMPORTERS: dict[type, Callable[[str, Any], LayerImport]] = {
    InputLayer: lambda _name, _layer: LayerImport(),
    FlattenLayer: lambda name, _layer: LayerImport(({"name": name, "type": "flatten"},)),
    AverageLayer: lambda name, layer: LayerImport(
        ({"name": name, "type": "population_average", "units": layer.outputs},),
        NUMBERS_LOSS[layer.outputs > 1],
    ),
    **dict.fromkeys((InputNeurons, DenseLayer, RecurrentLayer, KernelLayer), _import_synapses),
}
"""Class of a record -> what converts its layer, which gets the name in the document."""
