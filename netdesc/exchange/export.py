"""From a trained model to a ``.net`` file."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from netdesc.exchange.errors import LayerError, NetFileError
from netdesc.exchange.packing import packing_fault
from netdesc.exchange.record import (
    DenseLayer,
    FlattenLayer,
    InputLayer,
    Integers,
    NetFile,
    NetLayer,
)
from netdesc.exchange.writer import write_net
from netdesc.graph.nodes import INPUT, Dense, Flatten, Graph


class Model(Protocol):
    """What export asks of a model; ``netdesc.modules.build`` returns one.

    A block has ``synapse.integer_weight()`` (outputs, inputs) and ``neuron.integers()`` with
    ``iDecay``, ``vDecay``, ``vThMant`` and ``bias``.
    """

    @property
    def graph(self) -> Graph: ...

    def blocks(self) -> Iterable[tuple[str, Any]]: ...


def export_net(model: Model, path: str | Path) -> list[str]:
    """Writes ``model`` as a ``.net`` file and leaves it as it was. Returns warnings.

    The warnings name layers that netx is known to load wrong. NetFileError (a ValueError) names the
    layer that the format cannot hold: one that does not read the layer just before it, that is not
    quantised to 8 bits, that has no axonal step, or whose numbers are none.
    """
    net = network_record(model, path)
    write_net(path, net)
    names = [layer.name for layer in model.graph.layers]
    dense = [layer for layer in net.layers if not isinstance(layer, InputLayer)]
    faults = (
        (name, packing_fault(layer.weight))
        for name, layer in zip(names, dense, strict=True)
        if isinstance(layer, DenseLayer)
    )
    return [f'{path}: layer "{name}": {fault}' for name, fault in faults if fault]


def network_record(model: Model, path: str | Path = "the network") -> NetFile:
    """The integers of ``model``, as the device holds them. NetFileError as ``export_net``."""
    graph, blocks = model.graph, dict(model.blocks())
    layers: list[NetLayer] = []
    if len(graph.input_shape) > 1:
        layers.append(InputLayer(graph.input_shape))
    before = INPUT
    for layer in graph.layers:
        try:
            if layer.inputs != (before,):
                raise LayerError("", f"reads {' and '.join(layer.inputs)}, not the layer before it")
            layers.append(EXPORTERS[type(layer)](layer, blocks.get(layer.name)))
        except LayerError as error:
            problem = f'layer "{layer.name}" {error}; a .net file cannot say that'
            raise NetFileError(path, problem) from error
        before = layer.name
    return NetFile(tuple(layers))


def _export_flatten(layer: Flatten, _block: Any) -> FlattenLayer:
    return FlattenLayer(math.prod(layer.output_shape))


def _export_dense(layer: Dense, block: Any) -> DenseLayer:
    if layer.bits is None:
        raise LayerError("", "has weights that are not quantised")
    if not layer.section.axonal_delay_step:
        raise LayerError("", "has no axonal delay step")
    for name, values in block.state_dict().items():
        if values.isnan().any():
            raise LayerError("", f"has a {name} that is NaN")
    neuron: Mapping[str, Any] = block.neuron.integers()
    bias = neuron.get("bias")
    return DenseLayer(
        weight=_integers(block.synapse.integer_weight()),
        current_decay=_integers(neuron["iDecay"]),
        voltage_decay=_integers(neuron["vDecay"]),
        threshold=int(neuron["vThMant"]),
        bias=None if bias is None else _integers(bias),
    )


def _integers(values: Any) -> Integers:
    """A tensor, an array or a number, copied."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    array: NDArray = np.array(values)
    if array.dtype.kind not in "iu":
        assert np.array_equal(array, np.trunc(array)), "export is given integers"
    return array.astype(np.int32)


EXPORTERS: dict[type, Callable[[Any, Any], NetLayer]] = {
    Flatten: _export_flatten,
    Dense: _export_dense,
}
