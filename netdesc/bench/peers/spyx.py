"""Measures Spyx: a neuron run by ``spyx.nn.run``, forward and backward in one jax.jit.

The step is compiled before the measurement. The measured time ends when the results are ready.
"""

# pyright: reportMissingImports=false

from __future__ import annotations

import os
from collections.abc import Callable

import jax
import jax.numpy as jnp
import spyx.nn
from flax import nnx

from netdesc.bench.peers.measure import TimedLayer
from netdesc.bench.peers.memory import host_peak_bytes
from netdesc.bench.peers.work import Work

_NEURONS = {
    "cuba": ("CuBaLIF", {"alpha": "current_decay", "beta": "voltage_decay"}),
    "lif": ("LIF", {"beta": "voltage_decay"}),
    "alif": ("ALIF", {"beta": "voltage_decay", "gamma": "threshold_decay"}),
}
"""The neurons' names in Spyx, and which arguments keep what a decay leaves."""


def layer(work: Work) -> TimedLayer:
    neuron, with_input_gradient = work.settings["neuron"], work.settings["input_gradient"]
    device = jax.devices("gpu" if work.settings["device"] == "cuda" else "cpu")[0]
    weight_OI = work.numbers["weight"]
    weight_IO = jax.device_put(weight_OI.T.copy(), device)
    spikes_TBI = jax.device_put(work.dense("input"), device)
    upstream_TBN = jax.device_put(work.upstream(), device)
    name, decays = _NEURONS[work.settings["neuron_type"]]
    neurons = getattr(spyx.nn, name)(
        (weight_OI.shape[0],),
        **{argument: 1 - neuron[decay] for argument, decay in decays.items()},
        threshold=neuron["threshold"],
        rngs=nnx.Rngs(0),
    )

    def forward(weight: jax.Array, spikes: jax.Array) -> jax.Array:
        return spyx.nn.run(neurons, spikes @ weight)[0]

    def gradients(weight: jax.Array, spikes: jax.Array, upstream: jax.Array) -> tuple:
        if with_input_gradient:
            return jax.vjp(forward, weight, spikes)[1](upstream)
        return jax.vjp(lambda weight: forward(weight, spikes), weight)[1](upstream)

    arguments = (weight_IO, spikes_TBI, upstream_TBN)
    step = jax.jit(gradients).lower(*arguments).compile()

    def cuda_peak_bytes(run: Callable[[], object]) -> int:
        run()
        return device.memory_stats()["peak_bytes_in_use"] - sum(each.nbytes for each in arguments)

    on_gpu = device.platform != "cpu"
    return TimedLayer(
        f"dense product, then spyx.nn.{name} (reset by subtraction) by spyx.nn.run, in one jax.jit",
        step=lambda: jax.block_until_ready(step(*arguments)),
        spike_rate=lambda: float(jnp.mean(jax.jit(forward)(weight_IO, spikes_TBI))),
        device=device.device_kind if on_gpu else "cpu",
        threads=None if on_gpu else os.cpu_count(),  # XLA starts one thread for each core
        peak_bytes=cuda_peak_bytes if on_gpu else host_peak_bytes,
    )
