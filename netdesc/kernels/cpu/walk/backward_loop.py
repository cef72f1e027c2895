"""The backward time loop: a vector of neurons through a run of steps, for Numba.

Fast maths is allowed here: gradients are floats, the integer grid is only read. The order of
additions is fixed by the vector's own loop, so that no result depends on the number of threads.
NaN and infinities pass through, so that training notices them.
"""

from __future__ import annotations

from typing import Any

import numba

from netdesc.kernels.cpu.runtime.jit_no_refcount import jit_no_refcount
from netdesc.kernels.cpu.runtime.simd_memory import AHEAD, load, prefetch, store


@numba.njit(inline="always")
def from_memory(upstream, t):
    """The gradient of step ``t`` from ``upstream``, a ``Strided``."""
    at = upstream.start + t * upstream.stride
    prefetch(upstream.numbers, at - AHEAD * upstream.stride)
    return load(upstream.numbers, at, upstream.size)


def backward_loop_of(gradient: Any, adjoint: Any) -> Any:
    """Returns the loop ``(upstream, layer, grad_z, run, delay, g_next, state)`` for kernels.

    ``gradient(upstream, t)`` returns the gradient by the spikes that are handed on in step t; it is
    called once a step, the last step first. ``adjoint(layer, t, g_s, state)`` takes the gradient
    ``g_s`` by the spikes of step t. It returns the gradient by what arrives in step t, and the
    state for step t − 1.

    The loop goes backward through the steps ``run[0]`` to ``run[1] - 1``, and writes the gradient
    by what arrives to ``grad_z``, a ``Strided``. ``g_next`` is the gradient by the spikes that are
    handed on in the step after the run; with a ``delay`` of 1 these are the spikes of the run's
    last step. The loop returns ``g_next`` and ``state`` for the run before.
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
