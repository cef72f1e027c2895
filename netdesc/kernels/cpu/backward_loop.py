"""The backward time loop: a vector of neurons through a run of steps, for Numba.

Fast maths is allowed here: gradients are floats, the integer grid is only read. The order of
additions is fixed by the vector's own loop, so that no result depends on the number of threads.
NaN and infinities pass through, so that training notices them.
"""

from __future__ import annotations

from typing import Any

import numba

from netdesc.kernels.cpu.inner import inner
from netdesc.kernels.cpu.lanes_memory import AHEAD, load, prefetch, store


@numba.njit(inline="always")
def from_memory(upstream, t):
    """The gradient of a step that lies in memory, a ``Strided``."""
    at = upstream.start + t * upstream.stride
    prefetch(upstream.numbers, at - AHEAD * upstream.stride)
    return load(upstream.numbers, at, upstream.size)


def backward_loop_of(gradient: Any, adjoint: Any) -> Any:
    """Returns the loop ``(upstream, layer, grad_z, run, delay, later, state)`` for kernels.

    ``gradient(upstream, t)`` is the gradient by what is handed on in step t; steps are asked for
    one by one, the last one first. ``adjoint(layer, t, g_s, state)`` goes from the gradient by a
    step's spikes to that by what arrives, and to the state for the step before.

    The loop goes through the steps ``run[0]`` to before ``run[1]``, and writes the gradient by what
    arrives to ``grad_z``, a ``Strided``. ``later`` is the gradient by what is handed on in the step
    after the run, which belongs to the run's last spikes if these have a ``delay``. It returns
    ``later`` and ``state`` for the run before.
    """

    @inner
    def backward_loop(upstream, layer, grad_z, run, delay, later, state):
        for t in range(run[1] - 1, run[0] - 1, -1):
            of_step = gradient(upstream, t)
            g_s = later if delay else of_step
            later = of_step
            g_z, state = adjoint(layer, t, g_s, state)
            store(grad_z.numbers, grad_z.start + t * grad_z.stride, g_z, grad_z.size)
        return later, state

    return backward_loop
