"""What reading a layer of a ``.net`` file inferred, left out, warns of, and does not support."""

from collections.abc import Iterator, Sequence, Set
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from netdesc.exchange.errors import NetFileError
from netdesc.exchange.hdf5_reader import Hdf5Group, escape_name
from netdesc.exchange.net_neurons import ACTIVATIONS, FORMS, OLD_TYPES, NetNeuron
from netdesc.exchange.net_record import NetLayer
from netdesc.exchange.net_synapses import (
    KERNEL_SECTIONS,
    FirstLayer,
    InputNeurons,
    KernelLayer,
    SynapticLayer,
)
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


def note_layer(group: Hdf5Group, layer: NetLayer, known: Set[str], is_first: bool) -> LayerNotes:
    """Returns the notes of a layer that was read; ``known`` are the datasets of its type."""
    inferred, warnings = list[str](), list[str]()
    if is_first and not isinstance(layer, FirstLayer):
        shape = f"{[*layer.input_shape]}"
        inferred.append(f"input {shape}")
        if isinstance(layer, KernelLayer):
            inferred = [f"input {shape}, the smallest that fits"]
            unknown = "the file does not say the height and width of the input; "
            hint = "is the smallest that fits; set input.shape in the document"
            warnings.append(f"{unknown}{shape} {hint}")
    if isinstance(layer, SynapticLayer):
        inferred += [*_infer_fields(group, layer), *_infer_neuron(group, layer.neuron)]
        warnings += _warn_of_neuron(group, layer.neuron)
    paths = [name for name in group.names() if name != "neuron"]
    if group.has("neuron"):
        paths += [f"neuron/{name}" for name in group.group("neuron").names()]
    unknown = tuple(escape_name(name) for name in paths if name not in known)
    netx = tuple(stored_problems(group, layer))
    return LayerNotes(tuple(inferred), unknown, tuple(warnings), netx)


def _infer_fields(group: Hdf5Group, layer: SynapticLayer) -> Iterator[str]:
    optional: dict[str, Any] = {}  # what a file may leave out, and the value that it then has
    if isinstance(layer, InputNeurons):
        optional = {name: layer.fields[name] for name in layer.weight_datasets}
        if not layer.neuron.is_delta:
            yield "no axonal delay step, unlike in slayer"
    elif isinstance(layer, KernelLayer):
        optional = {"stride": layer.stride, "padding": layer.padding}
        if layer.is_pool:
            yield "a pool that adds rows or columns at the end, as conv"
        elif not layer.has_one_weight:
            optional |= {"dilation": layer.dilation, "groups": layer.groups}
    for name, value in optional.items():
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
        yield f"{kind}, an older name of {neuron.type}"
    if neuron.form.is_complex:
        yield "period and decay"
    if neuron.is_sum:
        yield "a sum: vThMant has no effect"
    if neuron.never_spikes:
        yield "a readout: its voltage never reaches vThMant, the threshold"


def _warn_of_neuron(group: Hdf5Group, read: NetNeuron) -> Iterator[str]:
    """Yields a warning if the trained neurons differ from the neurons that the file describes."""
    if not group.has("neuron"):
        yield "there is no neuron: slayer outputs the input of a step, and netx the sum over steps"
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


def refuse_unsupported(path: str | Path, groups: Sequence[Hdf5Group]) -> None:
    """Raises a NetFileError that names each unsupported feature, and where it is first found."""
    found: dict[tuple[str, str], int] = {}
    for index, group in enumerate(groups):
        for dataset, name in _find_features(group):
            found.setdefault((name, dataset), index)
    if len(found) == 1:
        (((name, dataset), index),) = found.items()
        raise NetFileError(path, f"netdesc does not read {name} yet", index, dataset)
    if found:
        names = (f"{name} ({dataset} of layer {at})" for (name, dataset), at in found.items())
        raise NetFileError(path, f"netdesc does not read yet: {', '.join(names)}")


def _find_features(group: Hdf5Group) -> Iterator[tuple[str, str]]:
    """Yields (dataset, noun in the plural, such as "delays") of each unsupported feature."""
    kind = group.text("type")
    if kind in ("flatten", "average"):
        return
    if kind not in READ_TYPES:
        yield "type", f"{kind} layers" if kind.strip() else "layers of an empty type"
    is_pool = kind in ("pool", "unpool")
    if is_pool and group.has("dilation") and (group.integers("dilation") != 1).any():
        yield "dilation", "pools with a dilation"
    neuron = group.group("neuron") if group.has("neuron") else None
    form = FORMS.get(neuron_type(neuron)) if neuron else None
    is_dense = kind in ("dense", "dense_rec")
    if form is not None and form.is_complex:
        if group.has("bias") and kind in READ_TYPES[1:]:
            yield "bias", "biases of resonators"
        if kind in READ_TYPES and not is_dense:
            yield "neuron/type", f"{kind} layers of resonators"
    elif is_dense and group.has("weight") and group.is_group("weight"):
        yield "weight", "complex weights of neurons other than resonators"
    if kind == "input":
        for name in ("weight", "bias"):
            if group.has(name) and neuron is None:
                yield name, "numbers of input layers without neurons"
        if neuron and neuron.integer("sigma_output", 0):
            yield "neuron/sigma_output", "input layers that hand on a sum"
    if neuron is None:
        return
    kind = neuron_type(neuron)
    if kind not in FORMS:
        yield "neuron/type", f"neurons of {f'type {kind}' if kind.strip() else 'an empty type'}"
    if kind == "SDNN":
        if neuron.has("activation") and neuron.text("activation") not in ACTIVATIONS:
            yield "neuron/activation", f"the activation {neuron.text('activation')}"
        return
    for name, (value, meaning) in NEURON_CONSTANTS.items():
        if neuron.integer(name, value) != value:
            yield f"neuron/{name}", meaning
    if neuron.integer("vThMant", 1) == 0:
        yield "neuron/vThMant", "thresholds of 0"


def neuron_type(neuron: Hdf5Group) -> str:
    """Returns the type of the neurons, by its present name."""
    kind = neuron.text("type")
    return OLD_TYPES.get(kind, kind)


READ_TYPES = ("input", "dense", "dense_rec", *KERNEL_SECTIONS)
"""Types of layers with neurons that netdesc reads."""
