"""Blocks: what one layer of a document becomes."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from netdesc.graph.nodes import Dense
from netdesc.kernels import operators
from netdesc.kernels.engine import engine_name
from netdesc.modules.neuron import Cuba
from netdesc.modules.synapse import DenseSynapse


class DenseBlock(nn.Module):
    """Dense synapses into CUBA neurons: float32 [steps, batch, inputs] to [steps, batch, units].

    ``engine`` is what the last forward pass ran on, empty where that was compiled by torch, and
    ``notes`` what it observed (see ``kernels.operators``).
    """

    def __init__(self, layer: Dense, generator: torch.Generator | None) -> None:
        super().__init__()
        units = math.prod(layer.output_shape)
        self.synapse = DenseSynapse(layer, generator)
        self.neuron = Cuba(layer.neuron, units, layer.axonal_delay_step, generator)
        self.engine = ""
        self.notes: Tensor | None = None

    def forward(self, spikes_TBI: Tensor) -> Tensor:
        device = self.synapse.weight.device
        if spikes_TBI.device != device:
            raise ValueError(
                f"the input is on device '{spikes_TBI.device}', the network on '{device}'"
            )
        # A compiler could not follow how engines are chosen.
        self.engine = "" if torch.compiler.is_compiling() else engine_name(device)
        neuron, bits = self.neuron, self.synapse.bits
        if bits is None or neuron.acts_on_current:
            out, notes = neuron(operators.linear(spikes_TBI, self.synapse()))
        else:
            out, _, notes, _ = operators.dense_cuba(
                spikes_TBI,
                self.synapse.folded(),
                bits,
                neuron.current_decay,
                neuron.voltage_decay,
                neuron.bias(),
                *neuron.scalars(),
            )
        self.notes = notes
        return out


class FlattenBlock(nn.Module):
    """[steps, batch, *shape] to [steps, batch, size], row-major."""

    def forward(self, spikes: Tensor) -> Tensor:
        return spikes.flatten(start_dim=2)
