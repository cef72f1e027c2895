"""Measures snnTorch: ``snntorch.Synaptic``, which users call in their own loop over time.

The dense layer is computed for all steps before the loop. The reset subtracts the threshold, which
is the default. A reset to zero would be slower, because snnTorch then computes each state twice.
"""

# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import snntorch
import torch
from torch import Tensor

from netdesc.bench.peers import torch_side
from netdesc.bench.peers.measure import TimedLayer
from netdesc.bench.peers.work import Work


def layer(work: Work) -> TimedLayer:
    neuron = work.settings["neuron"]
    synapse = torch_side.linear(work)
    neurons = snntorch.Synaptic(
        alpha=1 - neuron["current_decay"],
        beta=1 - neuron["voltage_decay"],
        threshold=neuron["threshold"],
    ).to(torch_side.device_of(work))

    def forward(spikes_TBI: Tensor) -> Tensor:
        z_TBN = synapse(spikes_TBI)
        current = voltage = torch.zeros_like(z_TBN[0])
        out = []
        for z_BN in z_TBN:
            spikes_BN, current, voltage = neurons(z_BN, current, voltage)
            out.append(spikes_BN)
        return torch.stack(out)

    what = "torch.nn.Linear, then snntorch.Synaptic (reset by subtraction) in a loop over time"
    return torch_side.layer(what, work, forward, synapse.weight)
