"""Weights on the grid, as kernels take them."""

from __future__ import annotations

import functools

import numba
import numpy as np
import torch

from netdesc.kernels import quantization
from netdesc.kernels.cpu.arrays import array_of
from netdesc.kernels.cpu.buffers import take
from netdesc.kernels.cpu.lanes import LANES, as_ints, load, nearest, spread, store, where
from netdesc.kernels.cpu.tape import run
from netdesc.kernels.grid import WEIGHT_UNIT

_ENDLESS = np.float32(np.inf)

_LARGEST_SHORT = 32_767

_PART = 256
"""Inputs whose weights to a vector a thread takes at a time."""

_NO_INTEGERS, _NO_REALS = np.empty((0, 0), np.int16), np.empty((0, 0), np.float32)


@functools.cache
def half_limits(bits: int) -> tuple[np.float32, np.float32]:
    """``quantization.half_limits`` as the kernels' own type."""
    low, high = quantization.half_limits(bits)
    return np.float32(low), np.float32(high)


@numba.njit(inline="always")
def together_of(low):
    """How many integer weights fit into 16 bits when they are added up; ``low`` is half the least.

    Of weights that are none any number will do.
    """
    return max(1, int(min(_LARGEST_SHORT, _LARGEST_SHORT / max(np.float32(1), -2 * low))))


@functools.cache
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
    return take((numbers_by_vectors(outputs, 1), inputs), np.float32)


def numbers_by_vectors(outputs: int, inputs: int) -> int:
    """How many numbers that memory holds."""
    return -(-outputs // LANES) * LANES * inputs


def integer_vectors(weight_OI: torch.Tensor, bits: int) -> np.ndarray:
    """Integer weights ``2 · clamp(round(32 · w), low, high)``, int16, by vectors of outputs.

    Each vector's are together, for a walk reads nothing else: [vectors, inputs · n], an input's to
    the vector's ``n`` outputs contiguous. Where outputs are too few for the last vector, the end of
    its part means nothing.
    """
    real_VIN = _room_of_vectors(weight_OI)
    integer_VIN = real_VIN.reshape(-1).view(np.int16)[: real_VIN.size].reshape(real_VIN.shape)
    run(_quantize_all, array_of(weight_OI), *half_limits(bits), integer_VIN)
    return integer_VIN


def vectors_of(weight_OI: torch.Tensor, bits: int | None) -> tuple[np.ndarray, np.ndarray]:
    """``integer_vectors`` and none, or none and the same of real weights, off the grid."""
    if bits is not None:
        return integer_vectors(weight_OI, bits), _NO_REALS
    real_VIN = _room_of_vectors(weight_OI)
    _copy_all(array_of(weight_OI), real_VIN)
    return _NO_INTEGERS, real_VIN


def _room_of_vectors(weight_OI: torch.Tensor) -> np.ndarray:
    outputs, inputs = weight_OI.shape
    return room_by_vectors(outputs, inputs).reshape(-1, inputs * LANES)


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
def integers_of_vector(weight_OI, low, high, lo, n, integer_IN):
    """The part of ``integer_vectors`` for the ``n`` outputs from ``lo`` on."""
    _quantize(weight_OI, low, high, lo, n, 0, weight_OI.shape[1], integer_IN)


@numba.njit
def reals_of_vector(weight_OI, lo, n, real_IN):
    """The same of weights as they are."""
    _copy(weight_OI, lo, n, 0, weight_OI.shape[1], real_IN)


@numba.njit(inline="always")
def _quantize(weight_OI, low, high, lo, n, first, last, integer_IN):
    """From the inputs ``first`` to before ``last``."""
    halves = np.empty(LANES, np.int32)
    for i in range(n):
        weight = weight_OI[lo + i]
        for start in range(first, last, LANES):
            count = min(LANES, last - start)
            of_i = _halves(load(weight, start, count), low, high)
            store(halves, 0, as_ints(of_i + of_i), LANES)
            for j in range(count):
                integer_IN[np.uint64((start + j) * n + i)] = np.int16(halves[j])


@numba.njit(inline="always")
def _copy(weight_OI, lo, n, first, last, real_IN):
    for i in range(n):
        for j in range(first, last):
            real_IN[np.uint64(j * n + i)] = weight_OI[lo + i, j]


@numba.njit(parallel=True, cache=True, nogil=True)
def _quantize_all(weight_OI, low, high, integer_VIN):
    outputs, inputs = weight_OI.shape
    parts = (inputs + _PART - 1) // _PART
    for item in numba.prange(len(integer_VIN) * parts):
        vector, first = item // parts, item % parts * _PART
        lo = vector * LANES
        n, last = min(LANES, outputs - lo), min(inputs, first + _PART)
        _quantize(weight_OI, low, high, lo, n, first, last, integer_VIN[vector])


@numba.njit(parallel=True, cache=True, nogil=True)
def _copy_all(weight_OI, real_VIN):
    outputs, inputs = weight_OI.shape
    parts = (inputs + _PART - 1) // _PART
    for item in numba.prange(len(real_VIN) * parts):
        vector, first = item // parts, item % parts * _PART
        lo = vector * LANES
        n, last = min(LANES, outputs - lo), min(inputs, first + _PART)
        _copy(weight_OI, lo, n, first, last, real_VIN[vector])
