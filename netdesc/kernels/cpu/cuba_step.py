"""One step of current-based leaky integrate-and-fire neurons and its adjoint, for Numba.

The time loops (``forward_loop``, ``backward_loop``) take these as functions. States are integers in
units of 1/4096 of a threshold unit; gradients are floats in threshold units.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np

from netdesc.kernels.cpu.lanes import as_floats, spread
from netdesc.kernels.cpu.lanes_memory import AHEAD, load, prefetch
from netdesc.kernels.cpu.steps import (
    after_reset,
    decay_near,
    decay_state,
    flush,
    from_state,
    saturate,
    surrogate,
)
from netdesc.kernels.cpu.strided import Strided
from netdesc.kernels.cpu.words import word_of
from netdesc.kernels.grid import DECAY_ONE
from netdesc.kernels.parameters import Dynamics


class NeuronParameters(NamedTuple):
    """The neurons of a layer, as kernels take them."""

    keep_u: np.ndarray
    """int32 [neurons], like the next two: 4096 less the decay of the current."""
    keep_v: np.ndarray
    bias: np.ndarray
    threshold: np.int32
    delay: int
    """Steps, 0 or 1, after which a spike is handed on."""
    height: float
    """Of the surrogate gradient."""
    width: float
    """Of the surrogate gradient, in state units."""


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
    """What a vector of neurons keeps in registers on its way through the steps."""

    keep_u: Any
    keep_v: Any
    bias: Any
    threshold: Any
    forgets: Any
    """Whether every current is lost within a step."""


@numba.njit(inline="always")
def step_constants(neurons, first, count):
    """Of the ``count`` neurons from ``first`` on."""
    keep_u = load(neurons.keep_u, first, count)
    forgets = word_of(keep_u != spread(np.int32(0))) == 0
    keep_v, bias = load(neurons.keep_v, first, count), load(neurons.bias, first, count)
    return StepConstants(keep_u, keep_v, bias, neurons.threshold, forgets)


@numba.njit(inline="always")
def cuba_step(constants, z, u, held, is_near):
    """Current and voltage (before the reset) after a step in which ``z`` arrives.

    ``is_near`` promises that u and ``held``, the voltage after the last reset, are so small that a
    product with a decay fits into 32 bits (``steps.NEAR``).
    """
    if is_near:
        u = z if constants.forgets else decay_near(u, constants.keep_u) + z
        return u, decay_near(held, constants.keep_v) + u + constants.bias
    u = saturate(decay_state(u, constants.keep_u) + z)
    return u, saturate(decay_state(held, constants.keep_v) + u + constants.bias)


class CubaAdjoint(NamedTuple):
    """What the adjoint of a vector's steps reads."""

    share_u: Any
    """What a step leaves of the current, as floats."""
    share_v: Any
    keep_v: Any
    bias: Any
    threshold: Any
    height: Any
    width: Any
    learn: Any
    """Whether gradients of the decays are wanted."""
    voltage: Any
    """``Strided``: voltages before the reset."""


@numba.njit(inline="always")
def share_of(keep):
    """What a step leaves of a state, as floats."""
    return as_floats(keep) * spread(np.float32(1 / DECAY_ONE))


@numba.njit(inline="always")
def cuba_adjoint_of(neurons, first, count, learn, voltage):
    """Of the ``count`` neurons from ``first`` on."""
    keep_v = load(neurons.keep_v, first, count)
    return CubaAdjoint(
        share_of(load(neurons.keep_u, first, count)), share_of(keep_v), keep_v,
        load(neurons.bias, first, count), neurons.threshold, neurons.height, neurons.width,
        learn, voltage,
    )  # fmt: skip


@numba.njit(inline="always")
def cuba_adjoint(layer, t, g_s, state):
    """The gradient by what arrives in step ``t``, and the state for the step before.

    ``g_s`` is the gradient by the step's spikes. The state is g_u, g_v of the step after and the
    gradients of both decays: ``−Σ g_u[t+1] · u[t]`` and ``−Σ g_v[t+1] · v̄[t]``. The surrogate
    gradient is computed from the stored voltage; the reset is not differentiated.
    """
    g_u, g_v, grad_u, grad_v = state
    at = layer.voltage.start + t * layer.voltage.stride
    v = load(layer.voltage.numbers, at, layer.voltage.size)
    if layer.learn:
        held = after_reset(v, layer.threshold)
        grad_u = grad_u - g_u * from_state(_current(layer, t, v))
        grad_v = grad_v - g_v * from_state(held)
    prefetch(layer.voltage.numbers, at - AHEAD * layer.voltage.stride)
    rise = surrogate(v, layer.threshold, layer.height, layer.width)
    g_v = flush(layer.share_v * g_v + rise * g_s)
    g_u = flush(layer.share_u * g_u + g_v)
    return g_u, (g_u, g_v, grad_u, grad_v)


@numba.njit(inline="always")
def _current(layer, t, v):
    """The current of step ``t``, exactly, from its voltage and that of the step before."""
    current = v - layer.bias
    if t > 0:
        at = layer.voltage.start + (t - 1) * layer.voltage.stride
        before = load(layer.voltage.numbers, at, layer.voltage.size)
        current = current - decay_state(after_reset(before, layer.threshold), layer.keep_v)
    return current


class LeakAdjoint(NamedTuple):
    """The same of a current that leaks and nothing else."""

    share: Any
    learn: Any
    current: Any
    """``Strided``, in threshold units; read where the decay is learnt."""


@numba.njit(inline="always")
def leak_adjoint(layer, t, g, state):
    """The adjoint of ``u[t] = share · u[t − 1] + z[t]``.

    The state is the gradient by the current of the step after and that of the decay.
    """
    later, grad = state
    if layer.learn:
        at = layer.current.start + t * layer.current.stride
        grad = grad - later * load(layer.current.numbers, at, layer.current.size)
    g = flush(layer.share * later + g)
    return g, (g, grad)


__all__ = [
    "CubaAdjoint",
    "LeakAdjoint",
    "NeuronParameters",
    "Strided",
    "cuba_adjoint",
    "cuba_adjoint_of",
    "cuba_step",
    "leak_adjoint",
    "parameters_of",
    "share_of",
    "step_constants",
]
