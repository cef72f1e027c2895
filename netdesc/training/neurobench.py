"""The metrics of NeuroBench 2.3 (Yik et al., Nature Communications 2025), by its definitions."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from netdesc.modules import Network

OPERATIONS = ("events", "accumulates", "multiply_accumulates")


class OperationCounter:
    """Counts in all forward passes; layers are then computed one by one, not in segments.

    ``counts`` maps a layer to its numbers of ``OPERATIONS``: events are values other than 0 that
    the layer reads, also from itself, and an operation is a weight other than 0 that one meets. The
    weight is added, or multiplied first where what is read is not all 0, 1 and -1.
    """

    def __init__(self, network: Network) -> None:
        self.counts: dict[str, NDArray[np.float64]] = {}
        self._hooks = [
            block.register_forward_hook(partial(self._count, name))
            for name, block in network.blocks()
        ]

    def _count(self, name: str, block: Any, inputs: tuple[Tensor], output_TBN: Tensor) -> None:
        counts = self.counts.setdefault(name, np.zeros(len(OPERATIONS)))
        for values, connections in zip((*inputs, output_TBN), block.connections(), strict=True):
            if connections.any():
                events = _events(values)
                samples = values.unbind(1)  # one by one, as torch copies what it compares
                spikes = all(bool(((x == 0) | (x.abs() == 1)).all()) for x in samples)
                number = float(events.double().flatten() @ connections.double().flatten())
                counts += (float(events.sum()), number * spikes, number * (not spikes))

    def remove(self) -> None:
        for hook in self._hooks:
            hook.remove()


def _events(values: Tensor) -> Tensor:
    """Returns how many of ``values`` [steps, batch, *shape] are not 0, [*shape]."""
    counts = values.new_zeros(values.shape[2:], dtype=torch.int64)
    for of_sample in values.unbind(1):  # torch copies what it counts
        counts += (of_sample != 0).sum(0)
    return counts


def neurobench_metrics(
    network: Network, operations: Mapping[str, NDArray[np.float64]], rates: Mapping[str, float]
) -> dict[str, Any]:
    """Returns metrics by NeuroBench's names: of the network, and of a mean sample.

    ``operations`` are those of a sample, ``rates`` the shares of outputs that are not 0. Weights
    are those with which the network computes. Each layer with neurons is a layer of activations,
    counted after its delays: spikes beyond the last step are none. MembraneUpdates,
    NeuronOperations (states that training does not keep) and CocoMap (boxes) are missing.
    """
    layers = {layer.name: layer for layer in network.graph.neuron_layers}
    parts = [part for _, block in network.blocks() for part in block.synapses.values()]
    weights = [weight.detach() for part in parts for weight in part.weights()]
    values = {name: layer.neurons * layer.steps for name, layer in layers.items()}
    active = sum(rates[name] * count for name, count in values.items())
    _, adds, multiplies = sum(operations.values(), np.zeros(len(OPERATIONS))).tolist()
    numbers = [*network.parameters(), *network.buffers()]
    zeros = sum(int((weight == 0).sum()) for weight in weights)
    return {
        "ParameterCount": sum(parameter.numel() for parameter in network.parameters()),
        "Footprint": sum(tensor.numel() * tensor.element_size() for tensor in numbers),
        "ConnectionSparsity": round(zeros / sum(weight.numel() for weight in weights), 4),
        "ActivationSparsity": 1 - active / sum(values.values()),
        "ActivationSparsityByLayer": {name: 1 - rates[name] for name in values},
        "SynapticOperations": {
            "Effective_MACs": multiplies,
            "Effective_ACs": adds,
            "Dense": sum(layer.synapses * layer.steps for layer in layers.values()),
        },
    }
