"""Measures snnTorch: ``Synaptic`` or ``Leaky``, which users call in their own loop over time.

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

_NEURONS = {"cuba": "Synaptic", "lif": "Leaky"}


def layer(work: Work) -> TimedLayer:
    neuron, name = work.settings["neuron"], _NEURONS[work.settings["neuron_type"]]
    synapse = torch_side.synapses(work)
    decays = {"alpha": 1 - neuron["current_decay"]} if name == "Synaptic" else {}
    neurons = getattr(snntorch, name)(
        **decays, beta=1 - neuron["voltage_decay"], threshold=neuron["threshold"]
    ).to(torch_side.device_of(work))

    def forward(spikes_TBI: Tensor) -> Tensor:
        z_TBN = synapse(spikes_TBI)
        states = [torch.zeros_like(z_TBN[0])] * (len(decays) + 1)
        out = []
        for z_BN in z_TBN:
            spikes_BN, *states = neurons(z_BN, *states)
            out.append(spikes_BN)
        return torch.stack(out)

    synapses = torch_side.synapses_name(work)
    what = f"{synapses}, then snntorch.{name} (reset by subtraction) in a loop over time"
    return torch_side.layer(what, work, forward, [synapse.weight])
