"""Geometry of a convolution: kernel, stride, padding, dilation and groups. No torch here."""

import functools
from typing import Any, NamedTuple

import numpy as np

Pair = tuple[int, int]


class KernelShape(NamedTuple):
    """How a kernel slides over height and width, as in torch; pairs are (rows, columns).

    A plain convolution reads input ``o · stride − padding + tap · dilation`` for output ``o``. A
    transposed one adds input ``i`` to output ``i · stride − padding + tap · dilation``. Weights are
    [output channels, input channels / groups, height, width] in both.
    """

    stride: Pair
    padding: Pair
    dilation: Pair
    output_padding: Pair
    groups: int
    is_transposed: bool

    @classmethod
    def of_section(cls, section: Any, channels: int) -> "KernelShape":
        """Returns how the kernel of a layer slides over an input of so many channels."""
        steps = section.strides, section.paddings, section.dilations, section.output_paddings
        return cls(*steps, section.groups_of(channels), section.is_transposed)

    def to_numbers(self) -> list[int]:
        """Returns the numbers that ``of`` reads, for operators of torch."""
        pairs = (self.stride, self.padding, self.dilation, self.output_padding)
        return [*(number for pair in pairs for number in pair), self.groups, self.is_transposed]

    @classmethod
    def of(cls, numbers: list[int]) -> "KernelShape":
        pairs = [(numbers[at], numbers[at + 1]) for at in range(0, 8, 2)]
        return cls(pairs[0], pairs[1], pairs[2], pairs[3], numbers[8], bool(numbers[9]))

    def output_size(self, sizes: Pair, kernel: Pair) -> Pair:
        """Returns height and width of the output; ``sizes`` are those of the input."""
        return self._along(0, sizes[0], kernel[0]), self._along(1, sizes[1], kernel[1])

    def _along(self, axis: int, size: int, taps: int) -> int:
        span = self.dilation[axis] * (taps - 1) + 1
        stride, cut = self.stride[axis], 2 * self.padding[axis]
        if self.is_transposed:
            return (size - 1) * stride + span - cut + self.output_padding[axis]
        return (size + cut - span) // stride + 1


class Taps(NamedTuple):
    """Pairs of a row of the input and a row of the output that a row of the kernel connects.

    Row i of the input has the pairs ``starts[i]`` to ``starts[i + 1] − 1``. Columns are the same.
    """

    starts: np.ndarray
    taps: np.ndarray
    outputs: np.ndarray


@functools.cache
def taps_along(inputs: int, outputs: int, kernel: int, shape: KernelShape, axis: int) -> Taps:
    """Returns the taps along an axis, for the numbers of its inputs and outputs."""
    stride, offset = shape.stride[axis], -shape.padding[axis]
    near, far = (inputs, outputs) if shape.is_transposed else (outputs, inputs)
    index, tap = np.indices((near, kernel)).reshape(2, -1)
    at = index * stride + offset + tap * shape.dilation[axis]
    fits = (at >= 0) & (at < far)
    index, tap, at = index[fits], tap[fits], at[fits]
    source, target = (index, at) if shape.is_transposed else (at, index)
    order = np.lexsort((target, source))
    starts = np.searchsorted(source[order], np.arange(inputs + 1))
    return Taps(*(each.astype(np.int32) for each in (starts, tap[order], target[order])))
