"""Leaky currents without voltages: the forward and backward pass, for the operator ``leaky``."""

from __future__ import annotations

import numba
import numpy as np

from netdesc.kernels.cpu.runtime.kernel_cache import kernel
from netdesc.kernels.cpu.runtime.simd import LANES, as_floats, broadcast
from netdesc.kernels.cpu.runtime.simd_memory import load, store
from netdesc.kernels.cpu.runtime.state_arithmetic import (
    decay_state,
    flush_denormals,
    from_state,
    saturate,
    to_state,
)
from netdesc.kernels.fixed_point import DECAY_ONE


@kernel
def leaky_forward(z_TBN, keep, u_TBN):
    """Computes the current without the voltage, in threshold units.

    In state units, the current is ``u[t] = rtz(keep · u[t−1] / 4096) + trunc(4096 · z[t])``, where
    rtz rounds toward zero.
    """
    steps, batch, size = z_TBN.shape
    vectors, z, u_all = (size + LANES - 1) // LANES, z_TBN.reshape(-1), u_TBN.reshape(-1)
    for item in numba.prange(batch * vectors):
        sample, first = item // vectors, item % vectors * LANES
        count = min(LANES, size - first)
        share, u = load(keep, first, count), broadcast(np.int32(0))
        for t in range(steps):
            at = (t * batch + sample) * size + first
            u = saturate(decay_state(u, share) + to_state(load(z, at, count)))
            store(u_all, at, from_state(u), count)


@kernel
def leaky_backward_all(grad_u_TBN, u_TBN, keep, learn, grad_z_TBN, grad_decay_BN):
    """Computes the adjoint of ``leaky_forward``: fills ``grad_z_TBN`` and ``grad_decay_BN``.

    ``u_TBN``, the result of ``leaky_forward``, is read only if ``learn``. The gradient of the decay
    is ``−Σ g[t+1] · u[t]``, where g is the gradient of the input.
    """
    steps, batch, neurons = grad_u_TBN.shape
    grad_u, u, grad_z = grad_u_TBN.reshape(-1), u_TBN.reshape(-1), grad_z_TBN.reshape(-1)
    vectors, zero = (neurons + LANES - 1) // LANES, broadcast(np.float32(0))
    for item in numba.prange(batch * vectors):
        sample, first = item // vectors, item % vectors * LANES
        n = min(LANES, neurons - first)
        share = as_floats(load(keep, first, n)) * broadcast(np.float32(1 / DECAY_ONE))
        g, grad_decay = zero, zero
        for t in range(steps - 1, -1, -1):
            at = (t * batch + sample) * neurons + first
            if learn:
                grad_decay = grad_decay - g * load(u, at, n)
            g = flush_denormals(share * g + load(grad_u, at, n))
            store(grad_z, at, g, n)
        store(grad_decay_BN[sample], first, grad_decay, n)
