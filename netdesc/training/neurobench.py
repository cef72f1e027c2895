"""The metrics of NeuroBench 2.3 (Yik et al., Nature Communications 2025), by its definitions."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from netdesc.graph.nodes import SynapticNode
from netdesc.kernels.engines import use_engine
from netdesc.modules import Network
from netdesc.modules.prepared import LayerCall
from netdesc.neurons.compile import compile_neuron
from netdesc.neurons.expressions import Expression, in_order

OPERATIONS = ("events", "accumulates", "multiply_accumulates")

_ARITHMETIC = {"add", "subtract", "negate", "absolute", "minimum", "maximum", "where"}
_ARITHMETIC |= {"times", "scale"}
"""What counts as an operation of a neuron; comparisons and limits do not."""

_MAX_VALUES = 1 << 21
"""So many values of a state are computed at once, at least those of a sample."""


class NeuroBench:
    """Counts what NeuroBench measures, in forward passes of its own, without hooks.

    ``operations`` maps a layer to its numbers of ``OPERATIONS`` for a mean sample: events are
    values other than 0 that the layer reads, also from itself, and an operation is a weight other
    than 0 that one meets. The weight is added, or multiplied first where what is read is not all
    0, 1 and -1. Without ``counts_updates``, the metrics of neurons' states are missing. ``engine``
    computes these states.
    """

    def __init__(
        self, network: Network, *, counts_updates: bool = True, engine: str = "auto"
    ) -> None:
        self._network, self._samples = network, 0
        self._counts_updates, self._engine = counts_updates, engine
        blocks = dict(network.blocks())
        self._operations = {name: np.zeros(len(OPERATIONS)) for name in blocks}
        self._active, self._updates = dict.fromkeys(blocks, 0), dict.fromkeys(blocks, 0)

    @torch.no_grad()
    def __call__(self, input_TBN: Tensor) -> None:
        """Counts a batch. The network is in evaluation mode; its neurons begin at 0."""
        self._samples += input_TBN.shape[1]
        self._network.reset_state()
        self._network.walk(input_TBN, self._count)

    def _count(self, call: LayerCall, total: Tensor) -> Tensor:
        (name,), (block,), *_ = call
        if name not in self._operations:
            return block(total)
        output_TBN, states = block(total), block.neuron.equations.states
        if self._counts_updates and states:
            potential = "v" if "v" in states else states[0]
            samples = max(1, _MAX_VALUES // block.cells)
            for part in total.split(samples, dim=1):
                with use_engine(self._engine):
                    v_TBN = block.states(part, [potential])[potential]
                self._updates[name] += v_TBN[0].numel() + int((v_TBN[1:] != v_TBN[:-1]).sum())
        self._active[name] += int(_events(output_TBN).sum())
        counts = self._operations[name]
        for values, connections in zip((total, output_TBN), block.connections(), strict=True):
            if connections.any():
                events = _events(values)
                samples = values.unbind(1)  # one by one, as torch copies what it compares
                spikes = all(bool(((x == 0) | (x.abs() == 1)).all()) for x in samples)
                number = float(events.double().flatten() @ connections.double().flatten())
                counts += (float(events.sum()), number * spikes, number * (not spikes))
        return output_TBN

    @property
    def operations(self) -> dict[str, NDArray[np.float64]]:
        return {name: counts / self._samples for name, counts in self._operations.items()}

    def metrics(self) -> dict[str, Any]:
        """Returns metrics by NeuroBench's names: of the network, and of a mean sample.

        Weights are those with which the network computes. Each layer with neurons is a layer of
        activations, counted after its delays: spikes beyond the last step are none. An update is a
        change of the potential before its reset, and the first step: of the state ``v``, or of the
        first state of neurons without one. A neuron's operations are those of its equations,
        selections among them. CocoMap is missing, as there are no boxes.
        """
        layers = {layer.name: layer for layer in self._network.graph.neuron_layers}
        parts = [part for _, block in self._network.blocks() for part in block.synapses.values()]
        weights = [weight.detach() for part in parts for weight in part.weights()]
        values = {name: layer.neurons * layer.steps for name, layer in layers.items()}
        rates = {name: self._active[name] / (values[name] * self._samples) for name in values}
        _, adds, multiplies = sum(self.operations.values(), np.zeros(len(OPERATIONS))).tolist()
        numbers = [*self._network.parameters(), *self._network.buffers()]
        zeros = sum(int((weight == 0).sum()) for weight in weights)
        active = sum(self._active.values()) / (sum(values.values()) * self._samples)
        metrics: dict[str, Any] = {
            "ParameterCount": sum(weight.numel() for weight in self._network.parameters()),
            "Footprint": sum(tensor.numel() * tensor.element_size() for tensor in numbers),
            "ConnectionSparsity": round(zeros / sum(weight.numel() for weight in weights), 4),
            "ActivationSparsity": 1 - active,
            "ActivationSparsityByLayer": {name: 1 - rate for name, rate in rates.items()},
            "SynapticOperations": {
                "Effective_MACs": multiplies,
                "Effective_ACs": adds,
                "Dense": sum(layer.synapses * layer.steps for layer in layers.values()),
            },
        }
        if self._counts_updates:
            updates = {name: count / self._samples for name, count in self._updates.items()}
            costs = {name: _operations_of(layer) for name, layer in layers.items()}
            metrics["MembraneUpdates"] = sum(updates.values())
            metrics["NeuronOperations"] = {
                "Effective Neuron Ops": sum(updates[name] * costs[name] for name in costs),
                "Neuron Dense Ops": sum(values[name] * costs[name] for name in costs),
            }
        return metrics


def _events(values: Tensor) -> Tensor:
    """Returns how many of ``values`` [steps, batch, *shape] are not 0, [*shape]."""
    counts = values.new_zeros(values.shape[2:], dtype=torch.int64)
    for of_sample in values.unbind(1):  # torch copies what it counts
        counts += (of_sample != 0).sum(0)
    return counts


def _operations_of(layer: SynapticNode) -> int:
    """Returns how many operations a neuron does in a step; a bias counts if there is one."""
    step = compile_neuron(layer.neuron.definition(), False).forward
    has_bias = layer.section.learns_bias or layer.neuron.norm is not None

    def counts(each: Expression) -> bool:
        adds_bias = any(argument.value == "bias" for argument in each.arguments)
        is_changing = each.operation in _ARITHMETIC and not each.is_invariant
        return is_changing and (has_bias or not adds_bias)

    return sum(map(counts, in_order(step.roots, with_gradients=False)))
