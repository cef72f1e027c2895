"""Weights on the grid, as kernels take them."""

from __future__ import annotations

import numba
import numpy as np
import torch

from netdesc.kernels import quantization
from netdesc.kernels.cpu.arrays import array_of
from netdesc.kernels.cpu.buffers import take
from netdesc.kernels.grid import WEIGHT_UNIT

_LINE = 16
"""Floats of a cache line: the transposition reads whole lines."""


def half_limits(bits: int) -> tuple[np.float32, np.float32]:
    """``quantization.half_limits`` as the kernels' own type."""
    low, high = quantization.half_limits(bits)
    return np.float32(low), np.float32(high)


def quantized(weight_OI: torch.Tensor, bits: int) -> np.ndarray:
    """``quantization.quantize`` in one pass, [outputs, inputs] in threshold units."""
    weight = take(tuple(weight_OI.shape), np.float32)
    _quantize(array_of(weight_OI), *half_limits(bits), weight)
    return weight


def integer_rows(weight_OI: torch.Tensor, bits: int) -> np.ndarray:
    """Integer weights [inputs, outputs], int16."""
    integer_IO = take(tuple(weight_OI.shape[::-1]), np.int16)
    _quantize_rows(array_of(weight_OI), *half_limits(bits), integer_IO)
    return integer_IO


@numba.njit(inline="always")
def _half(weight, low, high):
    """``round(32 · weight)``, held between ``low`` and ``high``; NaN becomes 0."""
    half = np.rint(weight * np.float32(WEIGHT_UNIT / 2)) if weight == weight else np.float32(0)
    half = low if half < low else half
    return high if half > high else half


@numba.njit(parallel=True, cache=True, nogil=True)
def _quantize(weight_OI, low, high, quantized_OI):
    """``low``, ``high`` are halved weights."""
    outputs, inputs = weight_OI.shape
    for o in numba.prange(outputs):
        for j in range(inputs):
            quantized_OI[o, j] = _half(weight_OI[o, j], low, high) * np.float32(2 / WEIGHT_UNIT)


@numba.njit(parallel=True, cache=True, nogil=True)
def _quantize_rows(weight_OI, low, high, integer_IO):
    """Integer weights ``2 · clamp(round(32 · w), low, high)``, an input's outgoing row contiguous.

    Rounding is half to even.
    """
    outputs, inputs = weight_OI.shape
    for block in numba.prange((inputs + _LINE - 1) // _LINE):
        first = block * _LINE
        for o in range(outputs):
            for j in range(first, min(first + _LINE, inputs)):
                integer_IO[j, o] = np.int16(2 * np.int32(_half(weight_OI[o, j], low, high)))
