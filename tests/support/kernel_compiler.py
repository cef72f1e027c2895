"""Compiles the kernels that most tests need: those of CUBA neurons, and of all losses."""

from __future__ import annotations

from netdesc.kernels.cpu.precompile import precompile
from netdesc.kernels.needs import Need, neuron_needs
from netdesc.neurons.models.cuba import Cuba

CUBA = Cuba(type="cuba", threshold=1, current_decay=1, voltage_decay=1).definition().to_text()

if __name__ == "__main__":
    needs = {Need("threads")}
    needs |= {Need("spike_time", (200, 0.9, 2, length)) for length in (10, 100)}
    for learn in (False, True):
        for synapses in ("segment", "linear", "convolution"):
            needs |= neuron_needs(CUBA, learn, synapses, keep=True)
    precompile(needs)
