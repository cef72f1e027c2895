"""Weights on the grid, as kernels take them."""

from __future__ import annotations

import numba
import numpy as np
import torch

from netdesc.kernels import quantization
from netdesc.kernels.cpu.arrays import flat
from netdesc.kernels.cpu.buffers import take
from netdesc.kernels.cpu.lanes import LANES, as_ints, load, nearest, spread, store, where
from netdesc.kernels.grid import WEIGHT_UNIT


def half_limits(bits: int) -> tuple[np.float32, np.float32]:
    """``quantization.half_limits`` as the kernels' own type."""
    low, high = quantization.half_limits(bits)
    return np.float32(low), np.float32(high)


def quantized(weight_OI: torch.Tensor, bits: int) -> np.ndarray:
    """``quantization.quantize`` in one pass, [outputs, inputs] in threshold units."""
    on_grid = take(tuple(weight_OI.shape), np.float32)
    _quantize(flat(weight_OI), *half_limits(bits), on_grid.reshape(-1))
    return on_grid


def integer_rows(weight_OI: torch.Tensor, bits: int) -> np.ndarray:
    """Integer weights [inputs, outputs], int16."""
    integer_IO = take(tuple(weight_OI.shape[::-1]), np.int16)
    _quantize_rows(flat(weight_OI), *half_limits(bits), len(weight_OI), integer_IO)
    return integer_IO


@numba.njit(inline="always")
def _halves(weights, low, high):
    """``round(32 · weight)``, halves to even, held between ``low`` and ``high``; NaN becomes 0."""
    scaled = weights * spread(np.float32(WEIGHT_UNIT / 2))
    scaled = where(scaled == scaled, scaled, spread(np.float32(0)))
    scaled = where(scaled > spread(high), spread(high), scaled)
    return nearest(where(scaled < spread(low), spread(low), scaled))


@numba.njit(parallel=True, cache=True, nogil=True)
def _quantize(weight, low, high, on_grid):
    """Flat arrays; ``low``, ``high`` are halved weights."""
    for item in numba.prange((len(weight) + LANES - 1) // LANES):
        at = item * LANES
        n = min(LANES, len(weight) - at)
        halves = _halves(load(weight, at, n), low, high)
        store(on_grid, at, halves * spread(np.float32(2 / WEIGHT_UNIT)), n)


@numba.njit(parallel=True, cache=True, nogil=True)
def _quantize_rows(weight, low, high, outputs, integer_IO):
    """Integer weights ``2 · clamp(round(32 · w), low, high)``, an input's outgoing row contiguous.

    ``weight`` is flat, [outputs, inputs].
    """
    inputs = len(weight) // outputs
    for item in numba.prange((inputs + LANES - 1) // LANES):
        first = item * LANES
        n = min(LANES, inputs - first)
        halves = np.empty(LANES, np.int32)
        for o in range(outputs):
            of_o = _halves(load(weight, o * inputs + first, n), low, high)
            store(halves, 0, as_ints(of_o + of_o), LANES)
            for j in range(n):
                integer_IO[first + j, o] = np.int16(halves[j])
