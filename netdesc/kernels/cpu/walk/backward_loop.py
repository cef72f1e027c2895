"""The backward time loop of a vector of neurons over a run of steps, for Numba.

The loop uses fast floating-point arithmetic, because it computes only gradients, not states. Each
vector's loop adds in a fixed order, so that no result depends on the number of threads. NaN and
infinities propagate, so that training notices them.
"""

from __future__ import annotations

from typing import Any

import numba

from netdesc.kernels.cpu.runtime.jit_no_refcount import jit_no_refcount
from netdesc.kernels.cpu.runtime.simd_memory import PREFETCH_STEPS, load, prefetch, store


@numba.njit(inline="always")
def load_gradient(upstream, t):
    """Loads the gradient of step ``t`` from ``upstream``, a ``Strided``."""
    at = upstream.start + t * upstream.stride
    prefetch(upstream.numbers, at - PREFETCH_STEPS * upstream.stride)
    return load(upstream.numbers, at, upstream.size)


def backward_loop_of(gradient: Any, adjoint: Any) -> Any:
    """Builds a time loop for kernels from two functions that Numba compiles.

    The loop's parameters are ``(upstream, layer, grad_z, run, delay, g_next, state)``.
    ``gradient(upstream, t)`` returns the gradient of the layer's output in step t. It is called
    once per step, from the last step to the first. ``adjoint(layer, t, g_s, state)`` takes the
    gradient ``g_s`` of the spikes of step t. It returns the gradient of the synaptic input of step
    t, and the state for step t − 1.

    The loop goes from step ``run[1] - 1`` back to ``run[0]``, and writes the gradient of the
    synaptic input to ``grad_z``, a ``Strided``. ``g_next`` is the gradient of the output in the
    step after the run. It is needed if ``delay`` is 1, because the output in that step consists of
    the spikes of the run's last step. The loop returns ``g_next`` and ``state`` for the preceding
    run of steps.
    """

    @jit_no_refcount
    def backward_loop(upstream, layer, grad_z, run, delay, g_next, state):
        for t in range(run[1] - 1, run[0] - 1, -1):
            g_step = gradient(upstream, t)
            g_s = g_next if delay else g_step
            g_next = g_step
            g_z, state = adjoint(layer, t, g_s, state)
            store(grad_z.numbers, grad_z.start + t * grad_z.stride, g_z, grad_z.size)
        return g_next, state

    return backward_loop
