"""Sums integer weights over the input of a layer with a kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from netdesc.graph import SynapticNode
from netdesc.hardware.integers import MAX_EXACT_FLOAT64, Integers


def convolve(layer: SynapticNode, input_TI: NDArray[Any], weight: Integers) -> NDArray[np.int64]:
    """Returns the exact sums of a layer with a kernel, [steps, neurons].

    Adds one product for each weight of the kernel. Weights are [output channels, input channels /
    groups, height, width], or one weight for all synapses.
    """
    section: Any = layer.section
    channels, *sizes = layer.input_shape
    groups = section.groups_of(channels)
    if weight.ndim == 1:
        weight = np.broadcast_to(weight, (channels, 1, *section.kernel_size))
    largest = float(np.abs(input_TI).max(initial=0)) * float(np.abs(weight).max())
    is_exact = largest * weight[0].size <= MAX_EXACT_FLOAT64
    kind = np.float64 if is_exact else np.int64
    images = input_TI.astype(kind).reshape(len(input_TI), groups, channels // groups, *sizes)
    factors = weight.astype(kind).reshape(groups, -1, *weight.shape[1:])
    out = np.zeros((len(images), groups, factors.shape[1], *layer.output_shape[1:]), kind)
    # In a transposed convolution input and output exchange their roles.
    near, far = (images, out) if section.is_transposed else (out, images)
    for row, column in np.ndindex(*section.kernel_size):
        rows, columns = (
            _paired(near.shape[3 + axis], far.shape[3 + axis], section, axis, tap)
            for axis, tap in enumerate((row, column))
        )
        sources, targets = (rows[0], columns[0]), (rows[1], columns[1])
        if not section.is_transposed:
            sources, targets = targets, sources
        read = images[:, :, :, *sources]
        out[:, :, :, *targets] += np.einsum("tgiyx,goi->tgoyx", read, factors[..., row, column])
    return out.reshape(len(images), layer.neurons).astype(np.int64)


def _paired(near: int, far: int, section: Any, axis: int, tap: int) -> tuple[slice, slice]:
    """Returns the rows (columns) that a weight of a kernel connects.

    Row i of ``near`` rows belongs to row ``i · stride − padding + tap · dilation`` of ``far`` rows.
    """
    stride = section.strides[axis]
    offset = tap * section.dilations[axis] - section.paddings[axis]
    first = max(0, -(offset // stride))
    count = max(0, min(near - 1, (far - 1 - offset) // stride) - first + 1)
    start = first * stride + offset
    end = start + count * stride if count else start
    return slice(first, first + count), slice(start, end, stride)
