"""Checks of a forward pass against exact integers, and of functions of vectors."""

import numba
import numpy as np
import torch
from support.cuba_cases import Layer

from netdesc.kernels.cpu.runtime.simd import LANES, broadcast
from netdesc.kernels.cpu.runtime.simd_memory import load, store


def check_forward(layer: Layer, engine: str) -> int:
    """Compares the results of a forward pass with exact integers; returns the path."""
    exact = layer.exact()
    out, counts = layer.forward(engine)
    assert out.dtype == torch.float32
    np.testing.assert_array_equal(out.numpy(), exact.out)
    peak_u, peak_v, path, spikes = counts.tolist()
    assert (peak_u, peak_v) == (np.abs(exact.u).max(), np.abs(exact.v).max())
    assert spikes == exact.out.sum()
    return path


def decay_of_all(decay):
    """A function that applies ``decay``, a function of vectors, to all numbers of an array."""

    @numba.njit
    def decay_all(states, keep):
        result = np.empty_like(states)
        for at in range(0, states.size, LANES):
            n = min(LANES, states.size - at)
            store(result, at, decay(load(states, at, n), broadcast(keep)), n)
        return result

    return decay_all
