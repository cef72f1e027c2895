"""From a trained model to a ``.net`` file."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from netdesc.exchange.errors import LayerError, NetFileError
from netdesc.exchange.net_record import DenseLayer, FlattenLayer, InputLayer, NetFile, NetLayer
from netdesc.exchange.net_writer import write_net
from netdesc.graph import INPUT, Dense, Flatten, Graph
from netdesc.hardware import DeviceError, Weights, dense_integers


class Model(Protocol):
    """What export asks of a model; ``netdesc.modules.build`` returns one."""

    @property
    def graph(self) -> Graph: ...

    def folded_state(self) -> Mapping[str, NDArray[np.float32]]: ...


def export_net(model: Model, path: str | Path) -> list[str]:
    """Writes ``model`` as a ``.net`` file and leaves it as it was. Returns warnings.

    The warnings name layers that netx is known to load wrong. NetFileError (a ValueError) names the
    layer that the format cannot hold: one that does not read the layer just before it, that is not
    quantised to 8 bits, that has no axonal step, or whose numbers are none.
    """
    warnings: list[str] = []
    layers: list[NetLayer] = []
    graph, weights = model.graph, model.folded_state()
    if len(graph.input_shape) > 1:
        layers.append(InputLayer(graph.input_shape))
    before = INPUT
    for layer in graph.layers:
        try:
            if layer.inputs != (before,):
                raise LayerError("", f"reads {' and '.join(layer.inputs)}, not the layer before it")
            exported = EXPORTERS[type(layer)](layer, weights)
        except LayerError as error:
            problem = f'layer "{layer.name}" {error}; a .net file cannot say that'
            raise NetFileError(path, problem) from error
        except DeviceError as error:
            raise NetFileError(path, str(error)) from error
        layers.append(exported)
        fault = _netx_fault(exported.weight) if isinstance(exported, DenseLayer) else None
        if fault is not None:
            warnings.append(f'{path}: layer "{layer.name}": {fault}')
        before = layer.name
    write_net(path, NetFile(tuple(layers)))
    return warnings


def _export_flatten(layer: Flatten, _weights: Weights) -> FlattenLayer:
    return FlattenLayer(math.prod(layer.output_shape))


def _export_dense(layer: Dense, weights: Weights) -> DenseLayer:
    if not layer.section.axonal_delay_step:
        raise LayerError("", "has no axonal delay step")
    return DenseLayer(**vars(dense_integers(layer, weights)))


EXPORTERS: dict[type, Callable[[Any, Weights], NetLayer]] = {
    Flatten: _export_flatten,
    Dense: _export_dense,
}


def _netx_fault(weight: NDArray[np.int32]) -> str | None:
    """Why netx does not load ``weight`` as it is, or None where it does."""
    largest, smallest = int(weight.max()), int(weight.min())
    if largest == smallest == 0:
        return "all weights are 0, on which netx fails"
    if largest <= 0 and (-smallest).bit_count() == 1:
        return (
            f"no weight is above 0 and the smallest is {smallest}, a power of two; "
            "netx loads the smallest weights of such a layer at half their size or less"
        )
    return None
