"""Imports a NIR file as a document and its weights."""

import itertools
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from netdesc.exchange.errors import LayerError, NetFileError
from netdesc.exchange.import_layers import (
    NUMBERS_LOSS,
    SPIKE_LOSS,
    ImportedNeuron,
    JsonObject,
    neuron_section,
    neuron_state,
)
from netdesc.exchange.importer import ImportedLayer, ImportedNetwork, check_time, describe_network
from netdesc.exchange.nir.nir_builder import Builder, NirLayer
from netdesc.exchange.nir.nir_neurons import RESETS, Reals, make_neuron
from netdesc.exchange.nir.nir_reader import read_graph
from netdesc.exchange.nir.nir_record import DT, read_notes
from netdesc.graph import Graph, build_graph
from netdesc.kernels.fixed_point import DECAY_ONE, MAX_BIAS, WEIGHT_UNIT, weight_limits
from netdesc.neurons.models.integrator import IDENTITY

SCALED_THRESHOLD = 256.0
"""The threshold of neurons with unquantised weights. To multiply weights, thresholds and biases by
a factor changes no spike, and makes the grid of states, of 1/4096, finer beside them."""

MAX_SCALED_THRESHOLD = 2047.0
LARGEST_WEIGHT = weight_limits(8)[1] / WEIGHT_UNIT
_BITS = {None: None, "float": "float", "8": 8, 8: 8}
NEAR = 1e-5
"""How near numbers, in units of the grid, are to integers if they are on the device's grid."""


def import_nir(
    path: str | Path,
    *,
    name: str | None = None,
    steps: int | None = None,
    step_ms: float | None = None,
    dt: float | None = None,
    reset: str | None = None,
    bits: int | str | None = None,
) -> ImportedNetwork:
    """Reads a NIR file as a document and its weights. ``import_net`` has the first parameters.

    ``dt`` is the length of a step in seconds, by which time constants are divided; by default that
    in the file, or 1e-4. ``reset`` is what spikes do to voltages, which no file says: "zero" (to
    v_reset; the default), "subtract" or "subtract_delayed". ``bits`` is 8 for the device's weights,
    or "float" for unquantised ones, whose spikes are those of the file; the default is 8 if all
    numbers in the file are on the device's grid. NetFileError, with the node, if the file is
    invalid or a document cannot express the network, ValueError if an option is out of range.
    """
    path, chosen_time = Path(path), check_time(steps, step_ms)
    if dt is not None and not 0 < dt < math.inf:
        raise ValueError(f"dt is {dt}; it is a positive number of seconds")
    if reset not in (None, *RESETS):
        raise ValueError(f"reset is {reset!r}; it is one of {', '.join(RESETS)}")
    if bits not in _BITS:
        raise ValueError(f'bits is {bits!r}; it is 8 or "float"')
    graph, warnings = read_graph(path), list[str]()
    notes = read_notes(graph, warnings)
    stored = float(graph.metadata.get("dt", DT))
    if not 0 < stored < math.inf:
        raise NetFileError(path, f"is {stored:g}, not a positive number", None, "node/metadata/dt")
    try:
        built = Builder(graph, dt or stored, reset, notes)
        parts = [*_import_layers(built.layers, _BITS[bits])]
    except LayerError as error:
        problem = f"{error.problem}{error.hint and f': {error.hint}'}"
        raise NetFileError(path, problem, None, error.dataset) from error
    weighted = [layer for layer in built.layers if layer.weights]
    if not weighted:
        raise NetFileError(path, "there is no layer of neurons or weights in it")
    time = notes and {"steps": notes.steps, "step_ms": notes.step_ms}
    loss = NUMBERS_LOSS[math.prod(weighted[-1].shape) > 1]
    content: JsonObject = {
        "input": {"shape": list(built.input_shape)},
        "layers": [part.section for part in parts],
        "loss": loss if weighted[-1].threshold is None else SPIKE_LOSS,
    }
    name = name or (notes and notes.name)
    described = describe_network(path, name, chosen_time, time, content)
    description, _, assumptions, is_assumed = described
    if notes is None:
        assumptions.append(_SURROGATE)
        if dt is None and "dt" not in graph.metadata:
            text = f"time constants are divided by steps of {DT:g} s (import with --dt)"
            assumptions.append(text)
        if reset is None and any(layer.threshold is not None for layer in weighted):
            assumptions.append(_RESET)
    weights = {key: value for part in parts for key, value in part.state.items()}
    decays = [layer.dynamics.voltage_decay for layer in weighted if layer.dynamics is not None]
    if decays and all((d < 0.5 / DECAY_ONE).all() and (d > 1e-12).all() for d in decays):
        warnings.append("all decays of voltages round to 0: is the length of a step (--dt) right?")
    rows = [_row(*row) for row in zip(itertools.count(), built.layers, parts, strict=False)]
    warnings = [f"{path}: {text}" for text in warnings]
    return ImportedNetwork(description, weights, rows, warnings, assumptions, *is_assumed.values())


_SURROGATE = "neurons that training does not change, with netdesc's default surrogate gradient"
_RESET = (
    "spikes set voltages to v_reset, as NIR knows no other reset (import with --reset subtract or, "
    "for snnTorch's default, --reset subtract_delayed)"
)

_SUM = ImportedNeuron(
    IDENTITY.model_dump(), {name: np.array(1, np.float32) for name in IDENTITY.values()}
)
"""The neurons of a layer whose output is the sum of what arrives."""


class _LayerImport(NamedTuple):
    """A layer of the document, its part of the state dict, and what is said of it."""

    section: JsonObject
    state: dict[str, NDArray[np.float32]]
    neuron: ImportedNeuron = _SUM
    inferred: tuple[str, ...] = ()


def _import_layers(layers: list[NirLayer], bits: int | str | None) -> Iterator[_LayerImport]:
    is_exact = bits != "float" and all(map(_is_on_grid, layers))
    for layer in layers:
        is_float = layer.note is not None and layer.note.bits is None
        if not layer.weights:
            yield _LayerImport(layer.section, {})
        elif is_exact or (is_float and bits is None):
            for array, unit in () if is_float else _on_grid(layer):
                array[...] = np.rint(array / unit) * unit
            yield _import_layer(layer, 1.0, None if is_float else 8)
        else:
            yield _import_layer(layer, _scale_of(layer, bits == 8), 8 if bits == 8 else None)


def _on_grid(layer: NirLayer) -> list[tuple[Reals, float]]:
    """Returns all numbers that the device has as integers, and the units of these."""
    others = [layer.bias] if layer.threshold is None else [layer.bias, layer.threshold]
    weights = [(weight, 2 / WEIGHT_UNIT) for weight in layer.weights.values()]
    return weights + [(array, 1 / WEIGHT_UNIT) for array in others]


def _is_on_grid(layer: NirLayer) -> bool:
    """Whether the device's integers hold all numbers of a layer, if its weights are quantised."""
    if layer.note is not None and layer.note.bits is None:
        return True
    low, high = weight_limits(8)
    weights = [np.rint(weight * WEIGHT_UNIT) for weight in layer.weights.values()]
    units = [array / unit for array, unit in _on_grid(layer)]
    return (
        all((np.abs(array - np.rint(array)) < NEAR).all() for array in units)
        and all(low <= weight.min() and weight.max() <= high for weight in weights)
        and bool((np.abs(layer.bias) <= MAX_BIAS).all())
    )


def _scale_of(layer: NirLayer, has_bits: bool) -> float:
    """Returns a factor of weights, thresholds and biases. It changes no spike. The output of a
    layer that does not spike is multiplied by it."""
    largest = max(float(np.abs(weight).max()) for weight in layer.weights.values())
    bias = float(np.abs(layer.bias).max())
    threshold = 0.0 if layer.threshold is None else float(layer.threshold.max())
    limits = [(MAX_BIAS, bias)]
    if has_bits:
        limits += [(LARGEST_WEIGHT, largest), (MAX_SCALED_THRESHOLD, threshold)]
    else:
        limits += [(1, 1) if layer.threshold is None else (SCALED_THRESHOLD, threshold or largest)]
    scale = min((limit / value for limit, value in limits if value), default=1.0)
    if threshold:  # which is a multiple of 1/64
        scale = max(1, math.floor(WEIGHT_UNIT * threshold * scale)) / (WEIGHT_UNIT * threshold)
    return scale


def _import_layer(layer: NirLayer, scale: float, bits: int | None) -> _LayerImport:
    note, channels, neuron = layer.note, layer.shape[0], _SUM
    section = dict(layer.section)
    state: dict[str, NDArray[Any]] = {
        f"{name}.weight": weight * scale for name, weight in layer.weights.items()
    }
    if section["type"] == "neurons":
        state["synapse.weight"] = np.append(state["synapse.weight"], 0.0)
    if layer.dynamics is not None:
        kind = None if note is None else note.neuron
        neuron = make_neuron(layer.dynamics, scale, layer.reset, kind)
        section["neuron"] = neuron.section
    if note is None and bits is None and neuron.section["type"] == "integrator" and layer.dynamics:
        neuron.section["fine_units"] = True
    state |= neuron_state(neuron_section(neuron.section), neuron.values, channels)
    if layer.bias.any() or (note is not None and note.bias):
        section["bias"] = True
        state["neuron.bias"] = np.broadcast_to(layer.bias * scale, (channels,))
    if bits is None:
        section["quantization"] = None
    elif note is not None and note.bits not in (None, 8):
        top = 1 - 2.0 ** (1 - note.bits)  # the largest weight of a range of 1
        largest = max(max(-weight.min(), weight.max() / top) for weight in layer.weights.values())
        least = max(largest, 2.0**note.bits / WEIGHT_UNIT)
        section["quantization"] = {"bits": note.bits, "range": 2.0 ** math.ceil(math.log2(least))}
    if layer.threshold is not None and note is None:
        section["axonal_delay_step"] = False
    elif note is not None and note.axonal_delay_step is not None:
        section["axonal_delay_step"] = note.axonal_delay_step
    if layer.delays.ndim or (note is not None and note.delay.get("learn")):
        limits = [float(layer.delays.min()), float(layer.delays.max())]
        section["delay"] = {"learn": True, "initial_steps": limits}
        state["neuron.axonal.delay"] = np.broadcast_to(layer.delays, (channels,))
    elif layer.delays.any():
        section["delay"] = {"steps": int(layer.delays)}
    with np.errstate(over="ignore"):
        arrays = {
            f"layers.{layer.name}.{name}": np.array(value, np.float32, order="C")
            for name, value in state.items()
        }
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise layer.draft.error("", "has numbers that are too large")
    what = "output" if layer.threshold is None else "thresholds"
    texts = [f"weights and {what} times {scale:g}"] if scale != 1 else []
    texts += ["no axonal delay step"] if section.get("axonal_delay_step") is False else []
    if layer.dynamics is not None and layer.reset == "zero":
        rest = layer.draft.parts["neuron"].fields.get("v_reset", 0)
        texts += ["voltages are counted from v_reset, and begin there"] * bool(np.any(rest))
    return _LayerImport(section, arrays, neuron, tuple(texts))


def _row(index: int, layer: NirLayer, part: _LayerImport) -> ImportedLayer:
    section, levels = part.section, np.unique(part.neuron.values.get("threshold", ()))
    neuron = (section.get("neuron") or {"type": "none"})["type"] if layer.weights else ""
    threshold = float(levels[0]) if levels.size == 1 else None
    weights = sum(weight.size for weight in layer.weights.values())
    names, shapes = (layer.name, section["type"], neuron), (layer.input_shape, layer.shape)
    return ImportedLayer(index, *names, *shapes, threshold, weights, part.inferred, ())


def read_nir_weights(
    path: str | Path, graph: Graph, warn: Callable[[str], None] = lambda text: None
) -> dict[str, NDArray[np.float32]]:
    """Returns the weights of a NIR file by their names in the state dict of ``graph``.

    The n-th layer with weights in the file belongs to the n-th in the graph. Weights and biases are
    multiplied so that they fit the thresholds of the graph, which stay. NetFileError if the layers
    or the shapes of weights differ. If neurons differ, calls ``warn`` once.
    """
    path, imported = Path(path), import_nir(path)
    layers, own_layers = build_graph(imported.document).neuron_layers, graph.neuron_layers
    texts, own_texts = (
        [
            f"{node.section.type_name()} {[*node.weight_shape]}"
            + " with bias" * node.section.learns_bias
            for node in nodes
        ]
        for nodes in (layers, own_layers)
    )
    if texts != own_texts:
        rule = f"{graph.name} has {', '.join(own_texts)}"
        raise NetFileError(path, f"has the layers {', '.join(texts)}; {rule}")
    state: dict[str, NDArray[np.float32]] = {}
    differences: list[str] = []
    for layer, other in zip(own_layers, layers, strict=True):
        own, values = layer.neuron.values(), other.neuron.values()
        mine, theirs, scale = own.get("threshold"), values.get("threshold"), 1.0
        if isinstance(mine, float) and isinstance(theirs, float) and theirs:
            scale = 1.0 if "threshold" in layer.neuron.learn else mine / theirs
        names = [name for name in own if name != "threshold" and own[name] != values.get(name)]
        differences += [f'"{layer.name}": {name}' for name in names]
        for key, value in imported.weights.items():
            prefix, _, name = key.partition(f"layers.{other.name}.")
            is_weight = name.endswith(".weight") or name == "neuron.bias"
            shape = (layer.channels,) if layer.neuron.per_channel else ()
            if not prefix and is_weight:
                state[f"layers.{layer.name}.{name}"] = np.asarray(value * np.float32(scale))
            elif not prefix and name.removeprefix("neuron.") in own and value.shape in ((), shape):
                state[f"layers.{layer.name}.{name}"] = np.broadcast_to(value, shape).copy()
    if differences:
        warn(f"{path}: its neurons differ from those of the document: {', '.join(differences)}")
    return state
