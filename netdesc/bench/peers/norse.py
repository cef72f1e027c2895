"""Measures Norse: ``norse.torch.LIF``, which contains the loop over time.

Norse's voltage, ``v + dt·τ_mem⁻¹·(i − v)``, is the other programs' voltage times the voltage decay.
Therefore the threshold is multiplied by that decay; the weights are not changed.
"""

# pyright: reportMissingImports=false

from __future__ import annotations

import norse.torch as norse
import torch
from torch import Tensor

from netdesc.bench.peers import torch_side
from netdesc.bench.peers.measure import TimedLayer
from netdesc.bench.peers.work import Work

_STEP_S = 0.001


def layer(work: Work) -> TimedLayer:
    neuron, device = work.settings["neuron"], torch_side.device_of(work)
    synapse = torch_side.linear(work)

    def number(value: float) -> Tensor:
        return torch.tensor(value, device=device)

    parameters = norse.LIFParameters(
        tau_syn_inv=number(neuron["current_decay"] / _STEP_S),
        tau_mem_inv=number(neuron["voltage_decay"] / _STEP_S),
        v_leak=number(0.0),
        v_th=number(neuron["threshold"] * neuron["voltage_decay"]),
        v_reset=number(0.0),
        alpha=number(100.0),
    )
    neurons = norse.LIF(parameters, dt=_STEP_S)

    def forward(spikes_TBI: Tensor) -> Tensor:
        return neurons(synapse(spikes_TBI))[0]

    what = "torch.nn.Linear, then norse.torch.LIF (superspike)"
    return torch_side.layer(what, work, forward, synapse.weight)
