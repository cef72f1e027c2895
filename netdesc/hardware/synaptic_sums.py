"""Sums the weights of what arrives at neurons, exactly, for many steps at once."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from netdesc.graph import SynapticNode
from netdesc.hardware.integers import MAX_EXACT_FLOAT64, Integers
from netdesc.kernels.kernel_shape import KernelShape, Taps, taps_along

MAX_EXACT_FLOAT32 = 1 << 24
"""float32 holds every integer up to this magnitude."""

MAX_EVENT_SHARE = 0.2
"""Share of inputs that are not 0, up to which to add weights is faster than a matrix product."""

MIN_PRODUCT = 1 << 24
"""Number of multiplications below which a matrix product is not worth the start of its threads."""

_POINT = KernelShape((1, 1), (0, 0), (1, 1), (0, 0), 1, False)


class SynapticSums:
    """Returns what arrives at neurons, exactly, [steps, neurons], from the input [steps, inputs].

    Compiled, it adds the weights of inputs that are not 0. In Python, or if most inputs of a large
    dense layer are not 0, it computes matrix products, in floats if these are exact. Dense layers
    are convolutions of images of one pixel.
    """

    def __init__(self, layer: SynapticNode, weight: Integers) -> None:
        """``weight`` is [outputs, inputs], or of a kernel [output channels, input channels /
        groups, height, width] or [1], for all synapses."""
        section: Any = layer.section
        self._neurons, self._is_dense = layer.neurons, weight.ndim == 2
        channels, *self._sizes = (*layer.input_shape, 1, 1)[:3]
        self._positions = (*layer.output_shape[1:], 1, 1)[:2]
        shape = _POINT if self._is_dense else KernelShape.of_section(section, channels)
        if weight.ndim == 1:
            weight = np.broadcast_to(weight, (channels, 1, *section.kernel_size))
        kernel = (*weight.shape[2:], 1, 1)[:2]
        sizes = zip(self._sizes, self._positions, kernel, strict=True)
        self._axes = [taps_along(*size, shape, axis) for axis, size in enumerate(sizes)]
        grouped = weight.reshape(shape.groups, -1, weight.shape[1], *kernel)
        self._weight_GIYXO = np.ascontiguousarray(grouped.transpose(0, 2, 3, 4, 1), np.int16)
        self._most = float(max(weight.max(), -weight.min())) * weight[0].size

    def __call__(self, input_TI: NDArray[Any], is_compiled: bool) -> NDArray[np.int64]:
        is_large = self._is_dense and len(input_TI) * self._weight_GIYXO.size >= MIN_PRODUCT
        is_full = is_large and np.count_nonzero(input_TI) > MAX_EVENT_SHARE * input_TI.size
        add = self._add_events if is_compiled and not is_full else self._multiply
        return add(input_TI).transpose(0, 1, 4, 2, 3).reshape(len(input_TI), self._neurons)

    def _add_events(self, input_TI: NDArray[Any]) -> NDArray[np.int64]:
        from netdesc.hardware.event_kernel import add_weights

        events = np.flatnonzero(input_TI)
        values = input_TI.reshape(-1)[events].astype(np.int64)
        groups, outputs = len(self._weight_GIYXO), self._weight_GIYXO.shape[-1]
        sums_TGYXO = np.zeros((len(input_TI), groups, *self._positions, outputs), np.int64)
        add_weights(events, values, self._weight_GIYXO, *self._axes, sums_TGYXO)
        return sums_TGYXO

    def _multiply(self, input_TI: NDArray[Any]) -> NDArray[np.int64]:
        largest = float(np.abs(input_TI).max(initial=0)) * self._most
        kind = np.float32 if largest <= MAX_EXACT_FLOAT32 else np.float64
        if largest > MAX_EXACT_FLOAT64:
            kind = np.int64
        weight = self._weight_GIYXO.astype(kind)
        steps, (groups, channels, *kernel, outputs) = len(input_TI), weight.shape
        images = input_TI.astype(kind).reshape(steps, groups, channels, *self._sizes)
        images_GTYXI = images.transpose(1, 0, 3, 4, 2)
        sums_GTYXO = np.zeros((groups, steps, *self._positions, outputs), kind)
        for row, column in np.ndindex(*kernel):
            (sources_Y, targets_Y), (sources_X, targets_X) = (
                _pairs(axis, tap) for axis, tap in zip(self._axes, (row, column), strict=True)
            )
            read = images_GTYXI[:, :, sources_Y[:, None], sources_X]
            products = read.reshape(groups, -1, channels) @ weight[:, :, row, column]
            parts = products.reshape(*read.shape[:4], outputs)
            sums_GTYXO[:, :, targets_Y[:, None], targets_X] += parts
        return sums_GTYXO.swapaxes(0, 1).astype(np.int64)


def _pairs(axis: Taps, tap: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Returns the rows (columns) of the input that have a tap, and those of the output."""
    rows = np.repeat(np.arange(len(axis.starts) - 1), np.diff(axis.starts))
    return rows[axis.taps == tap], axis.outputs[axis.taps == tap]
