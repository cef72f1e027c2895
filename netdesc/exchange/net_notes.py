"""What reading a layer of a ``.net`` file inferred, left out, warns of, and does not support."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from netdesc.exchange.errors import NetFileError
from netdesc.exchange.hdf5_reader import Hdf5Group, escape_name
from netdesc.exchange.net_neurons import ACTIVATIONS, FORMS, OLD_TYPES, NetNeuron
from netdesc.exchange.net_record import NetLayer
from netdesc.exchange.net_synapses import KernelLayer, SynapticLayer
from netdesc.exchange.netx import NetxProblem, stored_problems
from netdesc.kernels.fixed_point import DECAY_ONE


class LayerNotes(NamedTuple):
    """Sentences about one layer, without its index."""

    inferred: tuple[str, ...]
    """What stands in the document in place of what the file does not say, or says otherwise."""
    unknown: tuple[str, ...]
    """The datasets that are not known and were not read."""
    warnings: tuple[str, ...]
    """How the layer differs from the one that was trained, or that netx computes."""
    netx: tuple[NetxProblem, ...]
    """What netx makes of the way in which the file stores the layer."""


def note_layer(
    group: Hdf5Group, layer: NetLayer, known: frozenset[str], is_first: bool
) -> LayerNotes:
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


def _infer_fields(group: Hdf5Group, layer: SynapticLayer) -> Iterator[str]:
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


def _infer_neuron(group: Hdf5Group, neuron: NetNeuron) -> Iterator[str]:
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


def _warn_of_neuron(group: Hdf5Group, read: NetNeuron) -> Iterator[str]:
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


NEURON_CONSTANTS = {
    "refDelay": (1, "refractory periods"),
    "messageBits": (0, "numbers of message bits"),
    "wgtExp": (0, "weight exponents"),
}
"""Dataset of a neuron -> the only supported value, and the feature that other values need."""

_MAX_NAMED_LAYERS = 10


def refuse_unsupported(path: str | Path, groups: Sequence[Hdf5Group]) -> None:
    """Raises a NetFileError that names all unsupported features of the layers, and their places."""
    found: dict[tuple[str, str], list[int]] = {}
    for index, group in enumerate(groups):
        for dataset, name in _find_features(group):
            found.setdefault((name, dataset), []).append(index)
    if [len(where) for where in found.values()] == [1]:
        (name, dataset), where = found.popitem()
        raise NetFileError(path, f"netdesc does not read {name} yet", where[0], dataset)
    if found:
        names = ", ".join(
            f"{name} ({dataset} of {_name_layers(where)})"
            for (name, dataset), where in found.items()
        )
        raise NetFileError(path, f"netdesc does not read yet: {names}")


def _find_features(group: Hdf5Group) -> Iterator[tuple[str, str]]:
    kind = group.text("type")
    if kind not in _CHECKS:
        yield "type", f"{kind} layers" if kind.strip() else "layers of an empty type"
    for check in _CHECKS.get(kind, (_find_neuron,)):
        yield from check(group)


def _name_layers(layers: Sequence[int]) -> str:
    named = ", ".join(map(str, layers[:_MAX_NAMED_LAYERS]))
    more = len(layers) - _MAX_NAMED_LAYERS
    word = "layer" if len(layers) == 1 else "layers"
    return f"{word} {named} and {more} more" if more > 0 else f"{word} {named}"


Check = Callable[[Hdf5Group], Iterator[tuple[str, str]]]
"""Yields (dataset, noun in the plural, such as "delays") of each unsupported feature of a layer."""


def _find_input_weight(group: Hdf5Group) -> Iterator[tuple[str, str]]:
    for name in ("weight", "bias"):
        if group.has(name) and not group.has("neuron"):
            yield name, "numbers of input layers without neurons"
    neuron = group.group("neuron") if group.has("neuron") else None
    if neuron and neuron.integer("sigma_output", 0):
        yield "neuron/sigma_output", "input layers that hand on a sum"


def _find_complex_weight(group: Hdf5Group) -> Iterator[tuple[str, str]]:
    if group.has("weight") and group.is_group("weight") and not _has_resonators(group):
        yield "weight", "complex weights of neurons other than resonators"


def _find_resonators(group: Hdf5Group) -> Iterator[tuple[str, str]]:
    if _has_resonators(group):
        yield "neuron/type", f"{group.text('type')} layers of resonators"


def _find_dilation(group: Hdf5Group) -> Iterator[tuple[str, str]]:
    if group.has("dilation") and (group.integers("dilation") != 1).any():
        yield "dilation", "pools with a dilation"


def _find_bias(group: Hdf5Group) -> Iterator[tuple[str, str]]:
    """Yields a feature if the equations have no place for a bias."""
    if group.has("bias") and _has_resonators(group):
        yield "bias", "biases of resonators"


def _find_neuron(group: Hdf5Group) -> Iterator[tuple[str, str]]:
    if not group.has("neuron"):
        return
    neuron = group.group("neuron")
    kind = neuron_type(neuron)
    if kind not in FORMS:
        yield "neuron/type", f"neurons of {f'type {kind}' if kind.strip() else 'an empty type'}"
    is_sdnn = kind == "SDNN"
    for name, (value, meaning) in NEURON_CONSTANTS.items():
        if not is_sdnn and neuron.integer(name, value) != value:
            yield f"neuron/{name}", meaning
    if is_sdnn and neuron.has("activation") and neuron.text("activation") not in ACTIVATIONS:
        yield "neuron/activation", f"the activation {neuron.text('activation')}"
    if not is_sdnn and neuron.integer("vThMant", 1) == 0:
        yield "neuron/vThMant", "thresholds of 0"


def _has_resonators(group: Hdf5Group) -> bool:
    form = FORMS.get(neuron_type(group.group("neuron"))) if group.has("neuron") else None
    return form is not None and form.is_complex


def neuron_type(neuron: Hdf5Group) -> str:
    """Returns the type of the neurons, by its present name."""
    kind = neuron.text("type")
    return OLD_TYPES.get(kind, kind)


_SYNAPSES = (_find_neuron, _find_bias)
_CHECKS: dict[str, tuple[Check, ...]] = {
    **dict.fromkeys(("flatten", "average"), ()),
    "input": (_find_input_weight, _find_resonators, _find_neuron),
    **dict.fromkeys(("dense", "dense_rec"), (_find_complex_weight, *_SYNAPSES)),
    **dict.fromkeys(("conv", "convT"), (_find_resonators, *_SYNAPSES)),
    **dict.fromkeys(("pool", "unpool"), (_find_resonators, _find_dilation, *_SYNAPSES)),
}
"""Type of a layer that netdesc reads -> the checks of its features."""
