"""Running a ``.net`` file, or a model, in the device's integers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from netdesc.exchange import import_net
from netdesc.graph import build_graph
from netdesc.hardware import FoldedModel, simulate


def run_integer(network: str | Path | FoldedModel, input_TN: NDArray) -> NDArray[Any]:
    """Output spikes, bool [steps, neurons], as the device computes them.

    ``network`` is a ``.net`` file or a model; ``input_TN`` is [steps, neurons] or
    [steps, *input shape], spikes or whole numbers. Where the output is a sum of layers, it is whole
    numbers. NetFileError for a bad file, ValueError for an input that does not fit, HardwareError
    (a ValueError) for a network that the device cannot hold.
    """
    if isinstance(network, str | Path):
        imported = import_net(network)
        return simulate(build_graph(imported.document), imported.weights, input_TN).spikes_TN
    return simulate(network.graph, network.folded_state(), input_TN).spikes_TN
