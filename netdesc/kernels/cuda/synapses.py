"""Dense synapses: the products of ``products`` on whole tensors, all of them contiguous."""

from __future__ import annotations

import torch
from torch import Tensor
from triton import cdiv

from netdesc.kernels.cuda import products
from netdesc.kernels.cuda.launch import start
from netdesc.kernels.quantization import half_limits

_TILE = 64
"""Rows and columns of a product's tile."""

_INNER = 32
"""How much of a product's inner dimension is loaded at a time."""

_WEIGHTS = 256
"""Weights of a program that only adds."""

_ROWS_OF_A_PART = 256
_PROGRAMS = 512
"""Into so many programs a weight gradient is split, if there are rows enough: a few for each
multiprocessor of a large GPU."""

_WIDEST_IN_HALF_PRECISION = 12
"""Bits of a weight whose half, up to ±2¹¹, a 16-bit float holds exactly."""


def _limits(bits: int) -> tuple[float, float]:
    low, high = half_limits(bits)
    return float(low), float(high)


def input_currents(spikes_TBI: Tensor, weight_OI: Tensor, bits: int) -> Tensor:
    """``z = W s`` [steps, batch, outputs], W being ``weight_OI`` on the grid."""
    steps, batch, inputs = spikes_TBI.shape
    outputs, rows = weight_OI.shape[0], steps * batch
    z_TBO = spikes_TBI.new_empty(steps, batch, outputs)
    start(
        products.input_currents,
        (cdiv(rows, _TILE), cdiv(outputs, _TILE)),
        spikes_TBI,
        weight_OI,
        z_TBO,
        rows,
        inputs,
        outputs,
        *_limits(bits),
        WEIGHTS_FIT=bits <= _WIDEST_IN_HALF_PRECISION,
        ROWS=_TILE,
        INNER=_INNER,
        OUTPUTS=_TILE,
    )
    return z_TBO


def input_gradient(grad_z_TBO: Tensor, weight_OI: Tensor, bits: int) -> Tensor:
    """The gradient of the spikes [steps, batch, inputs]."""
    steps, batch, outputs = grad_z_TBO.shape
    inputs, rows = weight_OI.shape[1], steps * batch
    grad_TBI = grad_z_TBO.new_empty(steps, batch, inputs)
    start(
        products.input_gradient,
        (cdiv(rows, _TILE), cdiv(inputs, _TILE)),
        grad_z_TBO,
        weight_OI,
        grad_TBI,
        rows,
        inputs,
        outputs,
        *_limits(bits),
        ROWS=_TILE,
        INNER=_INNER,
        INPUTS=_TILE,
    )
    return grad_TBI


def weight_gradient(grad_z_TBO: Tensor, spikes_TBI: Tensor, weight_OI: Tensor, bits: int) -> Tensor:
    """The gradient of the weights [outputs, inputs]; 0 for those that the grid clamps."""
    outputs, inputs = weight_OI.shape
    rows = spikes_TBI.shape[0] * spikes_TBI.shape[1]
    tiles = cdiv(outputs, _TILE), cdiv(inputs, _TILE)
    count, share = _parts(rows, tiles[0] * tiles[1])
    parts = grad_z_TBO.new_empty(count, outputs, inputs)
    start(
        products.weight_gradient_parts,
        (*tiles, count),
        grad_z_TBO,
        spikes_TBI,
        parts,
        rows,
        inputs,
        outputs,
        share,
        ROWS=_INNER,
        OUTPUTS=_TILE,
        INPUTS=_TILE,
    )
    grad_OI = torch.empty_like(weight_OI)
    weights = outputs * inputs
    start(
        products.weight_gradient,
        (cdiv(weights, _WEIGHTS),),
        parts,
        weight_OI,
        grad_OI,
        count,
        weights,
        *_limits(bits),
        BLOCK=_WEIGHTS,
    )
    return grad_OI


def _parts(rows: int, tiles: int) -> tuple[int, int]:
    """In how many parts a weight gradient is summed, and how many rows are in each."""
    count = min(cdiv(_PROGRAMS, tiles), cdiv(rows, _ROWS_OF_A_PART))
    share = cdiv(cdiv(rows, count), _INNER) * _INNER
    return cdiv(rows, share), share
