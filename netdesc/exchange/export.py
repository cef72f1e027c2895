"""Exports a trained model as a ``.net`` file."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netdesc.exchange.errors import LayerError, NetFileError, NetFileNameError
from netdesc.exchange.net_record import (
    DenseLayer,
    FlattenLayer,
    InputLayer,
    NetFile,
    NetLayer,
    Simulation,
)
from netdesc.exchange.net_writer import write_net
from netdesc.graph import INPUT, DenseNode, FlattenNode
from netdesc.hardware import FoldedModel, HardwareError, Weights, dense_integers


def export_net(model: FoldedModel, path: str | Path) -> list[str]:
    """Writes ``model`` as a ``.net`` file; the model stays unchanged.

    Returns the warnings of ``api.export``, which also explains the errors, about layers.
    """
    require_suffix(path)
    records: list[NetLayer] = []
    graph, weights = model.graph, model.folded_state()
    if len(graph.input_shape) > 1:
        records.append(InputLayer(graph.input_shape))
    previous = INPUT
    for layer in graph.layers:
        try:
            if layer.inputs != (previous,):
                raise LayerError("", f"reads {' and '.join(layer.inputs)}, not the layer before it")
            records.append(EXPORTERS[type(layer)](layer, weights))
        except LayerError as error:
            problem = f'layer "{layer.name}" {error}; a .net file cannot hold that'
            raise NetFileError(path, problem) from error
        except HardwareError as error:
            raise NetFileError(path, str(error)) from error
        previous = layer.name
    net = NetFile(tuple(records), Simulation(graph.step_ms, graph.steps * graph.step_ms))
    write_net(path, net)
    return [
        f'{path}: layer "{layer.name}": {problem}'
        for layer, (_, record) in zip(graph.neuron_layers, net.neuron_layers, strict=True)
        if (problem := _netx_problem(record.weight))
    ]


def require_suffix(path: str | Path) -> None:
    """Raises NetFileNameError if the name of a file to write does not end in ``.net``."""
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix != ".net":
        what = "NIR is not in this version; " if suffix == ".nir" else ""
        name = f"{path.stem or 'network'}.net"
        raise NetFileNameError(path, f"{what}netdesc exports .net files; use {name}")


def _export_flatten(layer: FlattenNode, _weights: Weights) -> FlattenLayer:
    return FlattenLayer(math.prod(layer.output_shape))


def _export_dense(layer: DenseNode, weights: Weights) -> DenseLayer:
    if not layer.section.axonal_delay_step:
        raise LayerError("", "has no axonal delay step")
    return DenseLayer(**vars(dense_integers(layer, weights)))


EXPORTERS: dict[type, Callable[[Any, Weights], NetLayer]] = {
    FlattenNode: _export_flatten,
    DenseNode: _export_dense,
}


def _netx_problem(weight: NDArray[np.int32]) -> str | None:
    """Describes the error that netx makes when it loads ``weight``; None if netx makes no error."""
    largest, smallest = int(weight.max()), int(weight.min())
    if largest == smallest == 0:
        return "all weights are 0; netx fails to load such a layer"
    if largest <= 0 and (-smallest).bit_count() == 1:
        return (
            f"no weight is above 0 and the smallest is {smallest}, a power of two; "
            "netx loads the smallest weights of such a layer at half their value or less"
        )
    return None
