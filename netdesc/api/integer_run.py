"""Runs a ``.net`` file, or a model, in the device's integers. Loads neither torch nor Numba."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from netdesc.exchange import import_net
from netdesc.graph import build_graph
from netdesc.hardware import FoldedModel, simulate


def run_integer(network: str | Path | FoldedModel, input_TN: NDArray) -> NDArray[Any]:
    """Output spikes as the device computes them, bool [steps, neurons].

    ``network`` is a ``.net`` file or the ``model`` of ``netdesc.compile``. ``input_TN`` holds
    spikes or whole numbers, [steps, neurons] or [steps, *input shape]. An output that is a sum of
    layers is returned as whole numbers. Raises NetFileError for a bad file, HardwareError for a
    network that the device cannot hold, ValueError for an input that does not fit.
    """
    if isinstance(network, str | Path):
        imported = import_net(network)
        return simulate(build_graph(imported.document), imported.weights, input_TN).spikes_TN
    return simulate(network.graph, network.folded_state(), input_TN).spikes_TN
