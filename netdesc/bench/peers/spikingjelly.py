"""Measures SpikingJelly: ``CUBALIFNode`` or ``LIFNode`` in multi-step mode, reset to zero."""

# pyright: reportMissingImports=false

from __future__ import annotations

from spikingjelly.activation_based import functional, neuron
from torch import Tensor

from netdesc.bench.peers import torch_side
from netdesc.bench.peers.measure import TimedLayer
from netdesc.bench.peers.work import Work


def layer(work: Work) -> TimedLayer:
    settings = work.settings["neuron"]
    synapse = torch_side.synapses(work)
    if work.settings["neuron_type"] == "cuba":
        neurons = neuron.CUBALIFNode(
            c_decay=1 - settings["current_decay"],
            v_decay=1 - settings["voltage_decay"],
            v_threshold=settings["threshold"],
        )
    else:
        tau = 1 / settings["voltage_decay"]
        neurons = neuron.LIFNode(tau, decay_input=False, v_threshold=settings["threshold"])
    neurons.to(torch_side.device_of(work))
    neurons.step_mode = "m"

    def forward(spikes_TBI: Tensor) -> Tensor:
        functional.reset_net(neurons)  # the state outlives a pass; users reset it
        return neurons(synapse(spikes_TBI))

    synapses = torch_side.synapses_name(work)
    what = f"{synapses}, then neuron.{type(neurons).__name__} (multi-step mode)"
    return torch_side.layer(what, work, forward, [synapse.weight])
