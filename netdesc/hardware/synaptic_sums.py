"""Sums the weights of what arrives at neurons, exactly, for many steps at once."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from netdesc.graph import SynapticNode
from netdesc.hardware.integers import MAX_EXACT_FLOAT64, Integers

MAX_EXACT_FLOAT32 = 1 << 24
"""float32 holds every integer up to this magnitude."""

MAX_EVENT_SHARE = 0.2
"""Share of inputs that are not 0, up to which to add weights is faster than a matrix product."""

MIN_PRODUCT = 1 << 24
"""Number of multiplications below which a matrix product is not worth the start of its threads."""


class AxisTaps(NamedTuple):
    """Triples along height or width: an output, the input that it reads, the tap between them.

    They are in the order of the inputs: those of input i begin at ``starts[i]``.
    """

    starts: NDArray[np.int64]
    taps: NDArray[np.int64]
    inputs: NDArray[np.int64]
    outputs: NDArray[np.int64]

    def of_tap(self, tap: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Returns the inputs of a tap, and the outputs that read them."""
        return self.inputs[self.taps == tap], self.outputs[self.taps == tap]


_ONE = AxisTaps(np.array([0, 1]), *(np.zeros(1, np.int64),) * 3)


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
        channels, *sizes = (*layer.input_shape, 1, 1)[:3]
        self._sizes, self._positions = sizes, (*layer.output_shape[1:], 1, 1)[:2]
        groups, self._axes = 1, (_ONE, _ONE)
        if not self._is_dense:
            groups = section.groups_of(channels)
            self._axes = tuple(
                _axis_taps(section, axis, sizes[axis], self._positions[axis]) for axis in (0, 1)
            )
        if weight.ndim == 1:
            weight = np.broadcast_to(weight, (channels, 1, *section.kernel_size))
        kernel = (*weight.shape[2:], 1, 1)[:2]
        grouped = weight.reshape(groups, -1, weight.shape[1], *kernel)
        self._weight_GIYXO = np.ascontiguousarray(grouped.transpose(0, 2, 3, 4, 1), np.int32)
        self._most = float(np.abs(weight).max()) * weight[0].size

    def __call__(self, input_TI: NDArray[Any], is_compiled: bool) -> NDArray[np.int64]:
        add = self._add_events if is_compiled and self._prefers_events(input_TI) else self._multiply
        sums_TGYXO = add(input_TI)
        return sums_TGYXO.transpose(0, 1, 4, 2, 3).reshape(len(input_TI), self._neurons)

    def _prefers_events(self, input_TI: NDArray[Any]) -> bool:
        products = len(input_TI) * self._weight_GIYXO.size
        if not self._is_dense or products < MIN_PRODUCT:
            return True
        return int(np.count_nonzero(input_TI)) < MAX_EVENT_SHARE * input_TI.size

    def _add_events(self, input_TI: NDArray[Any]) -> NDArray[np.int64]:
        from netdesc.hardware.event_kernel import add_weights

        events = np.flatnonzero(input_TI)
        values = input_TI.reshape(-1)[events].astype(np.int64)
        groups, outputs = len(self._weight_GIYXO), self._weight_GIYXO.shape[-1]
        sums_TGYXO = np.zeros((len(input_TI), groups, *self._positions, outputs), np.int64)
        rows, columns = ((axis.starts, axis.taps, axis.outputs) for axis in self._axes)
        add_weights(events, values, self._weight_GIYXO, rows, columns, sums_TGYXO)
        return sums_TGYXO

    def _multiply(self, input_TI: NDArray[Any]) -> NDArray[np.int64]:
        largest = float(np.abs(input_TI).max(initial=0)) * self._most
        kind = np.float32 if largest <= MAX_EXACT_FLOAT32 else np.float64
        if largest > MAX_EXACT_FLOAT64:
            kind = np.int64
        steps, (groups, channels, *kernel, outputs) = len(input_TI), self._weight_GIYXO.shape
        images = input_TI.astype(kind).reshape(steps, groups, channels, *self._sizes)
        images_GTYXI, weight = images.transpose(1, 0, 3, 4, 2), self._weight_GIYXO.astype(kind)
        sums_GTYXO = np.zeros((groups, steps, *self._positions, outputs), kind)
        for row, column in np.ndindex(*kernel):
            rows, columns = self._axes[0].of_tap(row), self._axes[1].of_tap(column)
            read = images_GTYXI[:, :, rows[0][:, None], columns[0]]
            count = len(rows[0]) * len(columns[0])
            products = read.reshape(groups, steps * count, channels) @ weight[:, :, row, column]
            shape = groups, steps, len(rows[0]), len(columns[0]), outputs
            sums_GTYXO[:, :, rows[1][:, None], columns[1]] += products.reshape(shape)
        return sums_GTYXO.swapaxes(0, 1).astype(np.int64)


def _axis_taps(section: Any, axis: int, inputs: int, outputs: int) -> AxisTaps:
    """Returns the taps along an axis.

    Row i of the smaller side belongs to row ``i · stride − padding + tap · dilation`` of the other;
    in a transposed convolution, the smaller side is the input.
    """
    near, far = (inputs, outputs) if section.is_transposed else (outputs, inputs)
    index, tap = np.indices((near, section.kernel_size[axis])).reshape(2, -1)
    other = index * section.strides[axis] - section.paddings[axis] + tap * section.dilations[axis]
    fits = (other >= 0) & (other < far)
    index, tap, other = index[fits], tap[fits], other[fits]
    source, target = (index, other) if section.is_transposed else (other, index)
    order = np.argsort(source, kind="stable")
    starts = np.searchsorted(source[order], np.arange(inputs + 1))
    return AxisTaps(starts, tap[order], source[order], target[order])
