"""One step of current-based leaky integrate-and-fire neurons, and its adjoint, for Numba.

The time loops (``forward_loop``, ``backward_loop``) call these functions. States are integers in
units of 1/4096 of a threshold unit; gradients are floats in threshold units.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np

from netdesc.kernels.cpu.runtime.bitmask import to_bitmask
from netdesc.kernels.cpu.runtime.simd import as_floats, broadcast
from netdesc.kernels.cpu.runtime.simd_memory import PREFETCH_STEPS, load, prefetch
from netdesc.kernels.cpu.runtime.state_arithmetic import (
    decay_near,
    decay_state,
    flush_denormals,
    from_state,
    reset_voltage,
    saturate,
    surrogate,
)
from netdesc.kernels.fixed_point import DECAY_ONE
from netdesc.kernels.neuron_parameters import Dynamics


class NeuronParameters(NamedTuple):
    """Parameters of a layer's neurons on the fixed-point grid, for the kernels."""

    keep_u: np.ndarray
    """``4096 − 4096 · decay`` of the current, int32 [neurons]."""
    keep_v: np.ndarray
    """``4096 − 4096 · decay`` of the voltage, int32 [neurons]."""
    bias: np.ndarray
    """The bias, int32 [neurons], in state units like ``threshold``."""
    threshold: np.int32
    delay: int
    """Number of steps, 0 or 1, from a spike to the output."""
    height: float
    """Height of the surrogate gradient."""
    width: float
    """Width of the surrogate gradient, in state units."""


def parameters_of(neurons: Dynamics) -> NeuronParameters:
    return NeuronParameters(
        neurons.keep_u.numpy(),
        neurons.keep_v.numpy(),
        neurons.bias.numpy(),
        np.int32(neurons.threshold),
        neurons.delay,
        neurons.height,
        neurons.width,
    )


class StepConstants(NamedTuple):
    """Constants of a vector of neurons, which the forward loop keeps in registers."""

    keep_u: Any
    keep_v: Any
    bias: Any
    threshold: Any
    is_memoryless: Any
    """Whether the currents of all neurons decay to 0 in one step (``keep_u`` is 0)."""


@numba.njit(inline="always")
def step_constants(neurons, first, count):
    """Returns the ``StepConstants`` of ``count`` neurons from ``first`` on."""
    keep_u = load(neurons.keep_u, first, count)
    is_memoryless = to_bitmask(keep_u != broadcast(np.int32(0))) == 0
    keep_v, bias = load(neurons.keep_v, first, count), load(neurons.bias, first, count)
    return StepConstants(keep_u, keep_v, bias, neurons.threshold, is_memoryless)


@numba.njit(inline="always")
def cuba_step(constants, z, u, reset_v, is_near):
    """Computes a step with synaptic input ``z``. Returns current and voltage (before the reset).

    ``u`` is the current and ``reset_v`` the voltage after the reset, both of the previous step. If
    ``is_near``, both must be within ± ``MAX_NEAR_STATE``, and a step takes fewer instructions.
    """
    if is_near:
        u = z if constants.is_memoryless else decay_near(u, constants.keep_u) + z
        return u, decay_near(reset_v, constants.keep_v) + u + constants.bias
    u = saturate(decay_state(u, constants.keep_u) + z)
    return u, saturate(decay_state(reset_v, constants.keep_v) + u + constants.bias)


class CubaAdjoint(NamedTuple):
    """Constants and voltages of a vector of neurons, for the adjoint of a step."""

    share_u: Any
    """Share of the current that remains after a step, as floats."""
    share_v: Any
    keep_v: Any
    bias: Any
    threshold: Any
    height: Any
    width: Any
    learn: Any
    """Whether the gradients of the decays are needed."""
    voltage: Any
    """The voltages before the reset, a ``Strided``."""


@numba.njit(inline="always")
def share_of(keep):
    """Returns the share of a state that remains after a step; ``keep`` is in units of 1/4096."""
    return as_floats(keep) * broadcast(np.float32(1 / DECAY_ONE))


@numba.njit(inline="always")
def cuba_adjoint_of(neurons, first, count, learn, voltage):
    """Returns the ``CubaAdjoint`` of ``count`` neurons from ``first`` on."""
    keep_v = load(neurons.keep_v, first, count)
    return CubaAdjoint(
        share_of(load(neurons.keep_u, first, count)), share_of(keep_v), keep_v,
        load(neurons.bias, first, count), neurons.threshold, neurons.height, neurons.width,
        learn, voltage,
    )  # fmt: skip


@numba.njit(inline="always")
def cuba_adjoint(layer, t, g_s, state):
    """Returns the gradient of the synaptic input of step ``t``, and the state for step ``t − 1``.

    ``g_s`` is the gradient of the step's spikes. ``state`` holds four vectors. The first two, g_u
    and g_v, are the gradients of current and voltage in step t + 1. The other two are the sums so
    far of the gradients of both decays: ``−Σ g_u[t+1] · u[t]`` and ``−Σ g_v[t+1] · v̄[t]``, where v̄
    is the voltage after the reset. The surrogate gradient is computed from the stored voltage; the
    reset is not differentiated.
    """
    g_u, g_v, grad_u, grad_v = state
    at = layer.voltage.start + t * layer.voltage.stride
    v = load(layer.voltage.numbers, at, layer.voltage.size)
    if layer.learn:
        reset_v = reset_voltage(v, layer.threshold)
        grad_u = grad_u - g_u * from_state(_current(layer, t, v))
        grad_v = grad_v - g_v * from_state(reset_v)
    prefetch(layer.voltage.numbers, at - PREFETCH_STEPS * layer.voltage.stride)
    slope = surrogate(v, layer.threshold, layer.height, layer.width)
    g_v = flush_denormals(layer.share_v * g_v + slope * g_s)
    g_u = flush_denormals(layer.share_u * g_u + g_v)
    return g_u, (g_u, g_v, grad_u, grad_v)


@numba.njit(inline="always")
def _current(layer, t, v):
    """Computes the exact current of step ``t`` from the voltages of steps t (``v``) and t − 1."""
    current = v - layer.bias
    if t > 0:
        at = layer.voltage.start + (t - 1) * layer.voltage.stride
        v_before = load(layer.voltage.numbers, at, layer.voltage.size)
        current = current - decay_state(reset_voltage(v_before, layer.threshold), layer.keep_v)
    return current


class LeakAdjoint(NamedTuple):
    """Constants and currents of a vector of neurons, for the adjoint of a leaky current."""

    share: Any
    """Share of the current that remains after a step, as floats."""
    learn: Any
    """Whether the gradient of the decay is needed."""
    current: Any
    """The currents in threshold units, a ``Strided``; read only if ``learn``."""


@numba.njit(inline="always")
def leak_adjoint(layer, t, g, state):
    """Computes the adjoint of ``u[t] = share · u[t − 1] + z[t]``.

    Returns the gradient of ``z[t]``, and the state for step ``t − 1``. ``g`` is the gradient of
    ``u[t]`` as an output. ``state`` holds the gradient of ``z[t + 1]``, and the sum so far of the
    gradient of the decay.
    """
    g_next, grad = state
    if layer.learn:
        at = layer.current.start + t * layer.current.stride
        grad = grad - g_next * load(layer.current.numbers, at, layer.current.size)
    g = flush_denormals(layer.share * g_next + g)
    return g, (g, grad)
