"""Measures Norse: ``LIF`` or ``LSNN``, which contain the loop over time, or ``LIFBoxCell`` in one.

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

_NEURONS = {
    "cuba": (norse.LIF, norse.LIFParameters),
    "lif": (norse.LIFBoxCell, norse.LIFBoxParameters),
    "alif": (norse.LSNN, norse.LSNNParameters),
}


def layer(work: Work) -> TimedLayer:
    neuron, device = work.settings["neuron"], torch_side.device_of(work)
    build, parameters_of = _NEURONS[work.settings["neuron_type"]]
    synapse = torch_side.synapses(work)

    def number(value: float) -> Tensor:
        return torch.tensor(value, device=device)

    rates = {"current_decay": "tau_syn_inv", "threshold_decay": "tau_adapt_inv"}
    parameters = parameters_of(
        **{name: number(neuron[key] / _STEP_S) for key, name in rates.items() if key in neuron},
        tau_mem_inv=number(neuron["voltage_decay"] / _STEP_S),
        v_leak=number(0.0),
        v_th=number(neuron["threshold"] * neuron["voltage_decay"]),
        v_reset=number(0.0),
        alpha=number(100.0),
    )
    neurons = build(parameters, dt=_STEP_S)

    def forward(spikes_TBI: Tensor) -> Tensor:
        z_TBN, state, out = synapse(spikes_TBI), None, []
        if build is not norse.LIFBoxCell:
            return neurons(z_TBN)[0]
        for z_BN in z_TBN:
            spikes_BN, state = neurons(z_BN, state)
            out.append(spikes_BN)
        return torch.stack(out)

    synapses = torch_side.synapses_name(work)
    what = f"{synapses}, then norse.torch.{build.__name__} (superspike)"
    return torch_side.layer(what, work, forward, [synapse.weight])
