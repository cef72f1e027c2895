"""Reads the weights of a NIR file as initial weights of a document's network."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netdesc.exchange.errors import NetFileError
from netdesc.exchange.importer import ImportedNetwork, graph_of
from netdesc.exchange.nir.nir_import import import_nir
from netdesc.graph import Graph, SynapticNode

State = dict[str, NDArray[np.float32]]


def read_nir_weights(
    path: str | Path, graph: Graph, warn: Callable[[str], None] = lambda text: None
) -> State:
    """Returns the weights of a NIR file by their names in the state dict of ``graph``.

    The n-th layer with weights in the file belongs to the n-th in the graph. Weights and biases are
    multiplied so that they fit the thresholds of the graph, which stay. NetFileError if the layers
    or the shapes of weights differ. If neurons differ, calls ``warn`` once.
    """
    path, imported = Path(path), import_nir(path)
    layers = graph_of(path, imported.description).neuron_layers
    if len(layers) != len(graph.neuron_layers):
        problem = f"has {len(layers)} layers with weights; {graph.name} has"
        raise NetFileError(path, f"{problem} {len(graph.neuron_layers)}")
    state, differences = State(), list[str]()
    for layer, other in zip(graph.neuron_layers, layers, strict=True):
        kinds = layer.section.type_name(), other.section.type_name()
        if kinds[0] != kinds[1] or layer.weight_shape != other.weight_shape:
            problem = f'has "{other.name}", {kinds[1]} with weights {list(other.weight_shape)}; "'
            problem += f'{layer.name}" is {kinds[0]} with weights {list(layer.weight_shape)}'
            raise NetFileError(path, problem)
        differences += _differences(layer, other)
        for name, value in _values(imported, layer, other):
            state[f"layers.{layer.name}.{name}"] = value
    if differences:
        warn(f"{path}: its neurons differ from those of the document: {'; '.join(differences)}")
    return state


def _values(
    imported: ImportedNetwork, layer: SynapticNode, other: SynapticNode
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yields what both layers have, by the names in the state dict of a layer."""
    prefix, own = f"layers.{other.name}.", layer.neuron.values()
    mine, theirs = (each.neuron.values().get("threshold") for each in (layer, other))
    scale = 1.0
    if isinstance(mine, float) and isinstance(theirs, float) and theirs:
        scale = 1.0 if "threshold" in layer.neuron.learn else mine / theirs
    for key, value in imported.weights.items():
        name = key.removeprefix(prefix)
        if key == name:
            continue
        parameter = name.removeprefix("neuron.")
        if name.endswith("weight") or name == "neuron.bias":
            if name == "neuron.bias" and not layer.section.learns_bias:
                problem = f'"{other.name}" has a bias: add "bias": true to "{layer.name}"'
                raise NetFileError(imported.description["name"], problem)
            yield name, np.asarray(value * np.float32(scale))
        elif parameter in own or name in layer.learnt_shapes:
            shape = (layer.channels,) if layer.neuron.per_channel or "." in parameter else ()
            if value.shape in ((), shape):
                yield name, np.broadcast_to(value, shape).copy()


def _differences(layer: SynapticNode, other: SynapticNode) -> Iterator[str]:
    kinds = layer.neuron.type_name(), other.neuron.type_name()
    if kinds[0] != kinds[1]:
        yield f'"{layer.name}": {kinds[0]} as in the document (file: {kinds[1]})'
    values = other.neuron.values()
    for name, value in layer.neuron.values().items():
        if name != "threshold" and name in values and values[name] != value:
            yield f'"{layer.name}": {name} {values[name]} as in the file (document: {value})'
