"""Converts the neurons of a ``.net`` file to a section of a document and the values behind it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from netdesc.exchange.errors import LayerError
from netdesc.exchange.net_neurons import NUMBERS, NetNeuron
from netdesc.hardware.integers import INTEGERS, integer_parameters
from netdesc.kernels.fixed_point import DECAY_ONE, WEIGHT_UNIT
from netdesc.neurons.models import NEURONS, NeuronSection
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
        values = {
            "current_decay": np.array(1, np.float32),
            "voltage_decay": np.array(0, np.float32),
        }
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
    section: dict[str, Any] = {"type": kind}
    section |= {name: _number_or_range(value) for name, value in values.items()}
    if neuron.activation and not neuron.is_delta:
        section["activation"] = neuron.activation
    if any(value.ndim for value in values.values()):
        section["per_channel"] = True
    if neuron.is_graded:
        section["graded"] = True
    return ImportedNeuron(section, values)


def _number_or_range(value: NDArray[np.float32]) -> float | list[float]:
    low, high = float(value.min()), float(value.max())
    return low if low == high else [low, high]


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
    found = {"period": np.asarray(period, np.float32), "decay": np.asarray(decay, np.float32)}
    others = {name: value for name, value in values.items() if name not in ("sine", "cosine")}
    back = (
        NEURONS[kind]
        .model_construct()
        .derive(np, {name: np.float64(value) for name, value in found.items()})
    )
    for dataset in ("sinDecay", "cosDecay"):
        is_same = INTEGERS["factor"](back[NUMBERS[dataset].parameter]) == neuron.numbers[dataset]
        if not is_same.all():
            index = np.argwhere(~is_same)[0]
            numbers = ", ".join(str(int(each[tuple(index)])) for each in (sine, cosine))
            problem = f"has the sine and cosine {numbers}, which no period and decay of at least "
            raise LayerError(f"neuron/{dataset}", f"{problem}1/4096 have")
    return found | others


def import_as(section: NeuronSection, neuron: NetNeuron) -> ImportedNeuron:
    """Converts neurons to those of a document: lif are CUBA neurons without current in a file."""
    imported = import_neuron(neuron)
    is_lif = section.type_name() == "lif" and imported.section["type"] == "cuba"
    if not (is_lif and (imported.values["current_decay"] == 1).all()):
        return imported
    values = {name: each for name, each in imported.values.items() if name != "current_decay"}
    return ImportedNeuron(imported.section | {"type": "lif"}, values)


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
    mine, theirs = (
        integer_parameters(section.definition(), section.derive(np, each))
        for each in (given, given | values)
    )
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
        neuron = layer.get("neuron")
        if neuron is not None:
            new = f"{neuron['type']}{len(neurons) + 1}"
            name = next((name for name, known in neurons.items() if known == neuron), new)
            neurons[name] = neuron
            layer = {**layer, "neuron": name}
        named_layers.append(layer)
    return neurons, named_layers
