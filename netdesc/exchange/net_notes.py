"""What reading a layer of a ``.net`` file inferred, what it left out, and what it warns of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from netdesc.exchange.hdf5_reader import Group, escape_name
from netdesc.exchange.net_neurons import NetNeuron
from netdesc.exchange.net_record import NetLayer
from netdesc.exchange.net_synapses import KernelLayer, SynapticLayer
from netdesc.exchange.netx import Problem, stored_problems
from netdesc.kernels.fixed_point import DECAY_ONE


class LayerNotes(NamedTuple):
    """Sentences about one layer, without its index."""

    inferred: tuple[str, ...]
    """What stands in the document in place of what the file does not say, or says otherwise."""
    unknown: tuple[str, ...]
    """The datasets that are not known and were not read."""
    warnings: tuple[str, ...]
    """How the layer differs from the one that was trained, or that netx computes."""
    netx: tuple[Problem, ...]
    """What netx makes of the way in which the file stores the layer."""


def note_layer(group: Group, layer: NetLayer, known: frozenset[str], is_first: bool) -> LayerNotes:
    """Returns the notes of a layer that was read; ``known`` are the datasets of its type."""
    inferred, warnings = _note_input(layer) if is_first else ([], [])
    if isinstance(layer, SynapticLayer):
        inferred += [*_infer_fields(group, layer), *_infer_neuron(group, layer.neuron)]
        warnings += _warn_of_neuron(group, layer.neuron)
    paths = [name for name in group.names() if name != "neuron"]
    if group.has("neuron"):
        paths += [f"neuron/{name}" for name in group.group("neuron").names()]
    unknown = tuple(escape_name(name) for name in paths if name not in known)
    netx = tuple(stored_problems(group, layer))
    return LayerNotes(tuple(inferred), unknown, tuple(warnings), netx)


def _note_input(layer: NetLayer) -> tuple[list[str], list[str]]:
    """Returns what was inferred of the input of the first layer, and warnings."""
    shape = list(layer.input_shape)
    if not isinstance(layer, KernelLayer):
        return [] if layer.inputs is None else [f"input {shape}"], []
    unknown = "the file does not say the height and width of the input; "
    return [f"input {shape}, the smallest that fits"], [
        f"{unknown}{shape} is the smallest that fits; set input.shape in the document"
    ]


def _infer_fields(group: Group, layer: SynapticLayer) -> Iterator[str]:
    if layer.form:
        yield layer.form
    for name, value in layer.optional_datasets.items():
        if not group.has(name):
            yield f"{name} {list(value) if isinstance(value, tuple) else f'{value:g}'}"
    if layer.bias is not None:
        yield "learns its bias"
    if layer.delay is not None:
        low, high = layer.delay.min(), layer.delay.max()
        steps = f"{low} to {high} steps" if low < high else f"{low} steps"
        if layer.delays_inputs:
            yield f"delays what arrives by {steps}, in a layer before"
        else:
            yield f"learns its delays, {steps}" if low < high else f"delays its output by {steps}"


def _infer_neuron(group: Group, neuron: NetNeuron) -> Iterator[str]:
    if not group.has("neuron"):
        yield "no neuron"
        return
    kind = group.group("neuron").text("type")
    if kind != neuron.type:
        yield f"{kind} is {neuron.type}"
    if neuron.form.is_complex:
        yield "period and decay"
    if neuron.is_sum:
        yield "a sum, without vThMant"
    if neuron.never_spikes:
        yield "a readout: no voltage of the device reaches vThMant"


def _warn_of_neuron(group: Group, read: NetNeuron) -> Iterator[str]:
    """Yields a warning if the trained neurons differ from the neurons that the file describes."""
    if not group.has("neuron"):
        yield "there is no neuron: slayer hands on what arrives, and netx adds it up"
        return
    neuron = group.group("neuron")
    exponents = neuron.integers("weight_exp") if neuron.has("weight_exp") else np.zeros(1)
    if exponents.any():
        yield (
            f"neuron/weight_exp is {exponents[exponents != 0][0]:g}, so this file does not hold "
            "what was trained: a norm scaled the weights by this power of two, and the weights of "
            "the file leave it out"
        )
    if read.type == "ALIF" and group.has("bias") and (read.numbers["iDecay"] < DECAY_ONE).any():
        yield (
            f"bias is added to the voltage; slayer added it to the input, which is not the "
            f"same where neuron/iDecay is below {DECAY_ONE}"
        )
