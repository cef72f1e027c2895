"""Reads the weights of a NIR file as initial weights of a document's network."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netdesc.exchange.errors import NetFileError
from netdesc.exchange.importer import graph_of
from netdesc.exchange.nir.nir_import import import_nir
from netdesc.graph import Graph


def read_nir_weights(
    path: str | Path, graph: Graph, warn: Callable[[str], None] = lambda text: None
) -> dict[str, NDArray[np.float32]]:
    """Returns the weights of a NIR file by their names in the state dict of ``graph``.

    The n-th layer with weights in the file belongs to the n-th in the graph. Weights and biases are
    multiplied so that they fit the thresholds of the graph, which stay. NetFileError if the layers
    or the shapes of weights differ. If neurons differ, calls ``warn`` once.
    """
    path, imported = Path(path), import_nir(path)
    layers, own_layers = graph_of(path, imported.description).neuron_layers, graph.neuron_layers
    kinds = [
        [(node.section.type_name(), node.weight_shape, node.section.learns_bias) for node in one]
        for one in (layers, own_layers)
    ]
    if kinds[0] != kinds[1]:
        texts = [
            ", ".join(f"{kind} {list(shape)}" + " with bias" * bias for kind, shape, bias in one)
            for one in kinds
        ]
        raise NetFileError(path, f"has the layers {texts[0]}; {graph.name} has {texts[1]}")
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
