"""Computes dense synapses with the kernels of ``products``; all tensors must be contiguous."""

from typing import Any

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
    return _product(products.input_currents, spikes_TBI, weight_OI, "OUTPUTS", len(weight_OI))


def input_gradient(grad_z_TBO: Tensor, weight_OI: Tensor) -> Tensor:
    """Returns the gradient of the input spikes, [steps, batch, inputs]."""
    inputs = weight_OI.shape[1]
    return _product(products.input_gradient, grad_z_TBO, weight_OI, "INPUTS", inputs)


def _product(kernel: Any, left: Tensor, weight_OI: Tensor, axis: str, columns: int) -> Tensor:
    (steps, batch, _), (outputs, inputs) = left.shape, weight_OI.shape
    rows, result = steps * batch, left.new_empty(steps, batch, columns)
    grid, tiles = (cdiv(rows, _TILE), cdiv(columns, _TILE)), {"ROWS": _TILE, axis: _TILE}
    start_programs(
        kernel, grid, left, weight_OI, result, rows, inputs, outputs, INNER=_INNER, **tiles
    )
    return result


def weight_gradient(grad_z_TBO: Tensor, spikes_TBI: Tensor, weight_OI: Tensor) -> Tensor:
    """Returns the gradient of the weights, [outputs, inputs]; 0 for clamped weights."""
    outputs, inputs = weight_OI.shape
    rows = spikes_TBI.shape[0] * spikes_TBI.shape[1]
    tiles = cdiv(outputs, _TILE), cdiv(inputs, _TILE)
    count = min(cdiv(_MIN_PROGRAMS, tiles[0] * tiles[1]), cdiv(rows, _MIN_ROWS_PER_PART))
    share = cdiv(cdiv(rows, count), _INNER) * _INNER  # rows of a part
    count = cdiv(rows, share)
    parts = grad_z_TBO.new_empty(count, outputs, inputs)
    kernel, grid, sizes = products.weight_gradient_parts, (*tiles, count), (rows, inputs, outputs)
    tile = {"ROWS": _INNER, "OUTPUTS": _TILE, "INPUTS": _TILE}
    start_programs(kernel, grid, grad_z_TBO, spikes_TBI, parts, *sizes, share, **tile)
    grad_OI, weights = torch.empty_like(weight_OI), outputs * inputs
    kernel, grid = products.weight_gradient, (cdiv(weights, _WEIGHTS_PER_PROGRAM),)
    start_programs(
        kernel, grid, parts, weight_OI, grad_OI, count, weights, BLOCK=_WEIGHTS_PER_PROGRAM
    )
    return grad_OI
