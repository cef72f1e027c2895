"""Blocks: what one layer of a document becomes."""

from __future__ import annotations

import math
import warnings

import numpy as np
import torch
from torch import Tensor, nn

from netdesc.graph.nodes import Dense
from netdesc.kernels import operators
from netdesc.kernels.engine import engine_name
from netdesc.kernels.event_lists import listed
from netdesc.modules.neuron import Cuba
from netdesc.modules.synapse import DenseSynapse


class DenseBlock(nn.Module):
    """Dense synapses into CUBA neurons: float32 [steps, batch, inputs] to [steps, batch, units].

    ``engine`` is what the last forward pass ran on, empty where that was compiled by torch, and
    ``notes`` what it observed (see ``kernels.operators``). While ``training``, and unless ``warns``
    is set to False, weights that are NaN are warned of on a CPU (a GPU would have to be waited
    for).
    """

    def __init__(self, layer: Dense, generator: torch.Generator | None) -> None:
        super().__init__()
        units = math.prod(layer.output_shape)
        self._name = layer.name
        self.synapse = DenseSynapse(layer, generator)
        self.neuron = Cuba(layer.neuron, units, layer.section.axonal_delay_step, generator)
        self.warns = True
        self.engine = ""
        self.notes: Tensor | None = None

    def forward(self, spikes_TBI: Tensor) -> Tensor:
        device = self.synapse.weight.device
        if spikes_TBI.device != device:
            raise ValueError(
                f"the input is on device '{spikes_TBI.device}', the network on '{device}'"
            )
        # A compiler could not follow how engines are chosen.
        is_compiling = torch.compiler.is_compiling()
        self.engine = "" if is_compiling else engine_name(device)
        if self.training and self.warns and not is_compiling and device.type == "cpu":
            self._look_for_nan()
        neuron, bits = self.neuron, self.synapse.bits
        if bits is None or neuron.acts_on_current:
            z, events = operators.linear(spikes_TBI, self.synapse())
            out, notes = neuron(z)
            if events.numel():  # the neurons cannot know how their input was computed
                notes = torch.cat([notes[:2], listed(events), notes[3:]])
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

    def observe(self, engine: str, notes: Tensor) -> None:
        """What a pass ran on and observed, said by who computes the layer in its place."""
        of_self = self.__dict__  # setting an attribute of a module is slow
        of_self["engine"], of_self["notes"] = engine, notes

    def _look_for_nan(self) -> None:
        """A weight that is NaN counts as 0, and so the loss would not tell of it."""
        # By numpy, which adds up on one thread; infinities of both signs are NaN, too.
        with np.errstate(invalid="ignore", over="ignore"):
            total = float(self.synapse.weight.detach().numpy().sum())
        if math.isnan(total):
            warnings.warn(
                f'a weight of layer "{self._name}" is NaN, or several are infinite: the network '
                "has diverged, or its input held NaN",
                stacklevel=2,
            )


class FlattenBlock(nn.Module):
    """[steps, batch, *shape] to [steps, batch, size], row-major."""

    def forward(self, spikes: Tensor) -> Tensor:
        return spikes.flatten(start_dim=2)
