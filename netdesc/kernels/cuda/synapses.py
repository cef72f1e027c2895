"""Computes dense synapses with the kernels of ``products``; all tensors must be contiguous."""

import torch
from torch import Tensor
from triton import cdiv

from netdesc.kernels.cuda import products
from netdesc.kernels.cuda.launch import start_programs

_TILE = 64
"""Number of rows, and of columns, of a product's tile."""

_INNER = 32
"""Number of terms of a product that are loaded at a time."""

_WEIGHTS_PER_PROGRAM = 256
"""Number of weights per program that adds up the parts of a weight gradient."""

_MIN_ROWS_PER_PART = 256
_MIN_PROGRAMS = 512
"""Smallest number of programs for a weight gradient (if there are enough rows to divide).

It gives each multiprocessor a few programs.
"""


def input_currents(spikes_TBI: Tensor, weight_OI: Tensor) -> Tensor:
    """Returns ``z = W s`` [steps, batch, outputs], where W is ``weight_OI`` quantised."""
    steps, batch, inputs = spikes_TBI.shape
    outputs, rows = weight_OI.shape[0], steps * batch
    z_TBO = spikes_TBI.new_empty(steps, batch, outputs)
    start_programs(
        products.input_currents,
        (cdiv(rows, _TILE), cdiv(outputs, _TILE)),
        spikes_TBI,
        weight_OI,
        z_TBO,
        rows,
        inputs,
        outputs,
        ROWS=_TILE,
        INNER=_INNER,
        OUTPUTS=_TILE,
    )
    return z_TBO


def input_gradient(grad_z_TBO: Tensor, weight_OI: Tensor) -> Tensor:
    """Returns the gradient of the input spikes, [steps, batch, inputs]."""
    steps, batch, outputs = grad_z_TBO.shape
    inputs, rows = weight_OI.shape[1], steps * batch
    grad_TBI = grad_z_TBO.new_empty(steps, batch, inputs)
    start_programs(
        products.input_gradient,
        (cdiv(rows, _TILE), cdiv(inputs, _TILE)),
        grad_z_TBO,
        weight_OI,
        grad_TBI,
        rows,
        inputs,
        outputs,
        ROWS=_TILE,
        INNER=_INNER,
        INPUTS=_TILE,
    )
    return grad_TBI


def weight_gradient(grad_z_TBO: Tensor, spikes_TBI: Tensor, weight_OI: Tensor) -> Tensor:
    """Returns the gradient of the weights, [outputs, inputs]; 0 for clamped weights."""
    outputs, inputs = weight_OI.shape
    rows = spikes_TBI.shape[0] * spikes_TBI.shape[1]
    tiles = cdiv(outputs, _TILE), cdiv(inputs, _TILE)
    count, share = _parts(rows, tiles[0] * tiles[1])
    parts = grad_z_TBO.new_empty(count, outputs, inputs)
    start_programs(
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
    start_programs(
        products.weight_gradient,
        (cdiv(weights, _WEIGHTS_PER_PROGRAM),),
        parts,
        weight_OI,
        grad_OI,
        count,
        weights,
        BLOCK=_WEIGHTS_PER_PROGRAM,
    )
    return grad_OI


def _parts(rows: int, tiles: int) -> tuple[int, int]:
    """Returns the number of parts of a weight gradient's rows, and of rows in a part."""
    count = min(cdiv(_MIN_PROGRAMS, tiles), cdiv(rows, _MIN_ROWS_PER_PART))
    share = cdiv(cdiv(rows, count), _INNER) * _INNER
    return cdiv(rows, share), share
