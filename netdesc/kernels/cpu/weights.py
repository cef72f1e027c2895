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

_ENDLESS = np.float32(np.inf)

_NO_ROWS = np.empty(0, np.int16), np.empty(0, np.float32)


def half_limits(bits: int) -> tuple[np.float32, np.float32]:
    """``quantization.half_limits`` as the kernels' own type."""
    low, high = quantization.half_limits(bits)
    return np.float32(low), np.float32(high)


def grid_of(bits: int | None) -> tuple[bool, np.float32, np.float32]:
    """Whether weights count as those on a grid, and ``half_limits`` of it, if so."""
    return (False, np.float32(0), np.float32(0)) if bits is None else (True, *half_limits(bits))


def limits_of(bits: int | None) -> tuple[np.float32, np.float32]:
    """``half_limits``; off the grid they are infinite."""
    return (-_ENDLESS, _ENDLESS) if bits is None else half_limits(bits)


def room_by_vectors(outputs: int, inputs: int) -> np.ndarray:
    """Memory for a float for each weight [outputs up to whole vectors, inputs].

    All that is as large as the weights is made in such memory, so that one serves after the other.
    """
    return take((-(-outputs // LANES) * LANES, inputs), np.float32)


def integer_rows(weight_OI: torch.Tensor, bits: int) -> np.ndarray:
    """Integer weights [inputs, outputs], int16."""
    room = room_by_vectors(*weight_OI.shape).reshape(-1).view(np.int16)
    integer_IO = room[: weight_OI.numel()].reshape(weight_OI.shape[::-1])
    _quantize_rows(flat(weight_OI), *half_limits(bits), len(weight_OI), integer_IO)
    return integer_IO


def rows_by_input(weight_OI: torch.Tensor, bits: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Weights [inputs, outputs], flat: integers and none, or none and real ones off the grid."""
    if bits is not None:
        return integer_rows(weight_OI, bits).reshape(-1), _NO_ROWS[1]
    outputs, inputs = weight_OI.shape
    real_IO = room_by_vectors(outputs, inputs).reshape(-1)[: outputs * inputs]
    _transpose(flat(weight_OI), outputs, real_IO)
    return _NO_ROWS[0], real_IO


def stop_at_clamped(grad_OI: np.ndarray, weight_OI: np.ndarray, bits: int) -> None:
    """``quantization.straight_through``, in place; a weight that is NaN gets no gradient."""
    _stop_at_clamped(grad_OI.reshape(-1), weight_OI.reshape(-1), *half_limits(bits))


@numba.njit(inline="always")
def is_inside(weight, low, high):
    """Whether a weight is on the grid between its ends: beyond them it is clamped going forward."""
    half = np.rint(weight * np.float32(WEIGHT_UNIT / 2))
    return (half >= low) & (half <= high)


@numba.njit(parallel=True, cache=True, nogil=True)
def _stop_at_clamped(grad, weight, low, high):
    for item in numba.prange((len(weight) + LANES - 1) // LANES):
        for at in range(item * LANES, min(len(weight), (item + 1) * LANES)):
            if not is_inside(weight[at], low, high):
                grad[at] = 0


@numba.njit(inline="always")
def _halves(weights, low, high):
    """``round(32 · weight)``, halves to even, held between ``low`` and ``high``; NaN becomes 0."""
    scaled = weights * spread(np.float32(WEIGHT_UNIT / 2))
    scaled = where(scaled == scaled, scaled, spread(np.float32(0)))
    scaled = where(scaled > spread(high), spread(high), scaled)
    return nearest(where(scaled < spread(low), spread(low), scaled))


@numba.njit(inline="always")
def on_grid(weights, low, high):
    """``quantization.quantize`` of a vector, in threshold units."""
    return _halves(weights, low, high) * spread(np.float32(2 / WEIGHT_UNIT))


@numba.njit
def integers_of_vector(weight_OI, low, high, lo, n, integer_IL):
    """Integer weights of the ``n`` outputs from ``lo`` on, as ``integer_rows`` has them.

    ``integer_IL`` is flat, [inputs · LANES].
    """
    inputs = weight_OI.shape[1]
    halves = np.empty(LANES, np.int32)
    for i in range(n):
        weight = weight_OI[lo + i]
        for first in range(0, inputs, LANES):
            count = min(LANES, inputs - first)
            of_i = _halves(load(weight, first, count), low, high)
            store(halves, 0, as_ints(of_i + of_i), LANES)
            for j in range(count):
                integer_IL[(first + j) * LANES + i] = np.int16(halves[j])


@numba.njit
def reals_of_vector(weight_OI, lo, n, real_IL):
    """The same of weights as they are."""
    for i in range(n):
        for j in range(weight_OI.shape[1]):
            real_IL[j * LANES + i] = weight_OI[lo + i, j]


@numba.njit(parallel=True, cache=True, nogil=True)
def _transpose(weight, outputs, real_IO):
    """The same of weights as they are; both are flat."""
    inputs = len(weight) // outputs
    for item in numba.prange((inputs + LANES - 1) // LANES):
        first = item * LANES
        n = min(LANES, inputs - first)
        values = np.empty(LANES, np.float32)
        for o in range(outputs):
            store(values, 0, load(weight, o * inputs + first, n), LANES)
            for j in range(n):
                real_IO[(first + j) * outputs + o] = values[j]


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
