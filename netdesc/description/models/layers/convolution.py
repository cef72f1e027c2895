"""Layers with a window that slides over the height and the width of their input: kernels."""

import math
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from netdesc.description.models.layers.base import Shape, ShapeError, SynapticSection
from netdesc.sections import OrPair, both, field

SingleCount = Annotated[int, Field(ge=1, le=1 << 16)]
Count = OrPair[SingleCount]
CountOrZero = OrPair[Annotated[int, Field(ge=0, le=1 << 16)]]

Pair = tuple[int, int]

_MAX_CHANNELS = 4  # a last axis of at most this length may be that of the channels


def require_image(shape: Shape) -> None:
    """Raises ShapeError unless the input has channels, height and width."""
    if len(shape) != 3:
        hint = 'give the input such a shape, or add a layer of type "reshape" before it'
        raise ShapeError("needs an input of three dimensions, [channels, height, width]", hint)


def window_counts(size: Pair, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Pair:
    """Returns the height and the width of the output. Raises ShapeError if no window fits."""
    spans = span(kernel, dilation)
    padded = size[0] + 2 * padding[0], size[1] + 2 * padding[1]
    if spans[0] > padded[0] or spans[1] > padded[1]:
        shown = times(kernel)
        if spans != kernel:
            shown += f", which its dilation makes {times(spans)}"
        which = "padded input" if any(padding) else "input"
        hint = "choose a smaller kernel or a larger padding"
        if size[1] <= _MAX_CHANNELS < size[0]:
            hint = f"are the channels last? shapes are [channels, height, width]; else {hint}"
        problem = f"has a kernel of {shown}, larger than its {which} of {times(padded)}"
        raise ShapeError(problem, hint, "kernel")
    return (padded[0] - spans[0]) // stride[0] + 1, (padded[1] - spans[1]) // stride[1] + 1


def span(kernel: Pair, dilation: Pair) -> Pair:
    """Returns the rows and columns from the first to the last that a kernel reads."""
    return dilation[0] * (kernel[0] - 1) + 1, dilation[1] * (kernel[1] - 1) + 1


def times(sizes: Pair) -> str:
    return f"{sizes[0]}×{sizes[1]}"


MAX_NEURONS = 1 << 24
"""The largest number of neurons of a layer."""


class KernelSection(SynapticSection):
    """Base class of the layers with a kernel. Their input is [channels, height, width]."""

    is_transposed: ClassVar[bool] = False
    """Whether each input spreads the kernel over its output, and does not gather the kernel."""

    kernel: Count = field(
        "Height and width of the kernel: one number for both, or [height, width].",
        unit="pixels",
        example=3,
    )
    padding: CountOrZero = field(
        "Rows and columns of zeros around the input, or those that are cut off a spread output: "
        "one number for both, or [rows, columns].",
        unit="pixels",
        default=0,
    )

    @property
    def kernel_size(self) -> Pair:
        return both(self.kernel)

    @property
    def strides(self) -> Pair:
        raise NotImplementedError

    @property
    def paddings(self) -> Pair:
        return both(self.padding)

    @property
    def dilations(self) -> Pair:
        return 1, 1

    @property
    def output_paddings(self) -> Pair:
        return 0, 0

    def groups_of(self, channels: int) -> int:
        """Returns the number of groups of channels, for so many channels of the input."""
        raise NotImplementedError

    def channels_of(self, channels: int) -> int:
        """Returns the number of channels of the output."""
        raise NotImplementedError

    def output_shape(self, shape: Shape) -> Shape:
        require_image(shape)
        channels = self.channels_of(shape[0])
        height, width = self._output_size((shape[1], shape[2]))
        if channels * height * width > MAX_NEURONS:
            count = f"{channels * height * width:,} neurons; at most {MAX_NEURONS:,} are possible"
            raise ShapeError(f"has {count}", "choose a larger stride or fewer channels")
        return channels, height, width

    def _output_size(self, size: Pair) -> Pair:
        if not self.is_transposed:
            steps = self.strides, self.paddings, self.dilations
            return window_counts(size, self.kernel_size, *steps)
        spans = span(self.kernel_size, self.dilations)
        lengths: list[int] = []
        for axis, what in enumerate(("row", "column")):
            whole = (size[axis] - 1) * self.strides[axis] + spans[axis] + self.output_paddings[axis]
            lengths.append(whole - 2 * self.paddings[axis])
            if lengths[axis] < 1:
                hint = f"choose a padding of at most {(whole - 1) // 2}"
                raise ShapeError(f"cuts off every {what} of its output", hint, "padding")
        return lengths[0], lengths[1]

    def synapses(self, shape: Shape) -> int:
        channels, *sizes = self.output_shape(shape)
        pairs = channels * (shape[0] // self.groups_of(shape[0]))
        axes = ((axis, shape[1 + axis], sizes[axis]) for axis in (0, 1))
        return pairs * math.prod(self._connections(*axis) for axis in axes)

    def _connections(self, axis: int, inputs: int, outputs: int) -> int:
        """Counts pairs of a row (column) of the input and one of the output that reads it."""
        stride, padding, dilation = self.strides[axis], self.paddings[axis], self.dilations[axis]
        near, far = (inputs, outputs) if self.is_transposed else (outputs, inputs)
        count = 0
        for tap in range(self.kernel_size[axis]):
            # near · stride − padding + tap · dilation is the index on the other side.
            offset = tap * dilation - padding
            first, last = max(0, -(offset // stride)), min(near - 1, (far - 1 - offset) // stride)
            count += max(0, last - first + 1)
        return count


class Convolution(KernelSection):
    """Base class of the convolutions, which have a kernel for each pair of channels."""

    channels: SingleCount = field("Number of channels of the output.", unit="channels", example=16)
    stride: Count = field(
        "Rows and columns from one kernel to the next: one number for both, or [rows, columns].",
        unit="pixels",
        default=1,
    )
    dilation: Count = field(
        "Rows and columns from one weight of a kernel to the next: one number for both, or "
        "[rows, columns].",
        unit="pixels",
        default=1,
    )
    groups: SingleCount = field(
        "Number of groups into which the channels of input and output are divided; a channel of "
        "the output reads only the channels of its group.",
        unit="groups",
        default=1,
    )

    @property
    def strides(self) -> Pair:
        return both(self.stride)

    @property
    def dilations(self) -> Pair:
        return both(self.dilation)

    def groups_of(self, channels: int) -> int:
        return self.groups

    def channels_of(self, channels: int) -> int:
        for count, what in ((channels, "its input"), (self.channels, "its output")):
            if count % self.groups:
                raise ShapeError(
                    f"has {self.groups} groups, which do not divide the {count} channels of {what}",
                    "choose a number of groups that divides both",
                    "groups",
                )
        return self.channels

    def weight_shape(self, shape: Shape) -> Shape:
        return self.channels, shape[0] // self.groups, *self.kernel_size


class Conv(Convolution):
    """Convolution (cross-correlation): each neuron reads the part of the input that a kernel
    covers. The last rows and columns are not read where the stride does not divide.
    """

    type: Literal["conv"]


class ConvTranspose(Convolution):
    """Transposed convolution: each value of the input spreads a kernel over the neurons."""

    is_transposed = True

    type: Literal["conv_transpose"]
    output_padding: CountOrZero = field(
        "Rows and columns that are added at the end of the output, smaller than the stride or the "
        "dilation: one number for both, or [rows, columns].",
        unit="pixels",
        default=0,
    )

    @property
    def output_paddings(self) -> Pair:
        return both(self.output_padding)

    def output_shape(self, shape: Shape) -> Shape:
        limits = (max(pair) for pair in zip(self.strides, self.dilations, strict=True))
        if any(extra >= limit for extra, limit in zip(self.output_paddings, limits, strict=True)):
            message = "has an output padding that is not smaller than its stride or dilation"
            raise ShapeError(message, "choose a smaller output padding", "output_padding")
        return super().output_shape(shape)


class OneWeight(KernelSection):
    """Base class of the layers whose synapses share one weight. Channels do not mix."""

    draws_weights = False
    fields_of_own_weights = ("weight_init", "mask")

    stride: Count | None = field(
        "Rows and columns from one kernel to the next: one number for both, or [rows, columns]. "
        "Null is the size of the kernel.",
        unit="pixels",
        default=None,
        example=2,
    )
    weight_scale: float = field(  # pyright: ignore[reportIncompatibleVariableOverride]
        "Initial value of the one weight.", unit="1", default=1.0, gt=0, le=1e6
    )

    @property
    def given_weights(self) -> tuple[float, ...]:
        return (self.weight_scale,)

    @property
    def strides(self) -> Pair:
        return self.kernel_size if self.stride is None else both(self.stride)

    def groups_of(self, channels: int) -> int:
        return channels

    def channels_of(self, channels: int) -> int:
        return channels

    def weight_shape(self, shape: Shape) -> Shape:
        return (1,)


class SumPool(OneWeight):
    """Sums the part of a channel that a kernel covers, times one weight, into neurons."""

    type: Literal["sum_pool"]

    def _output_size(self, size: Pair) -> Pair:
        outputs, spans = super()._output_size(size), span(self.kernel_size, self.dilations)
        for axis, (length, count) in enumerate(zip(size, outputs, strict=True)):
            stride = self.strides[axis]
            rest = length + self.paddings[axis] - ((count - 1) * stride + spans[axis])
            if rest > 0:
                what = ("row", "column")[axis] + ("s" if rest > 1 else "")
                message = f"has a stride of {stride}, which does not divide its input of {length} "
                message += f"{('rows', 'columns')[axis]}: it would not read the last {rest} {what}"
                wrong = "stride" if self.stride is not None else "kernel"
                raise ShapeError(message, "choose another kernel, stride or padding", wrong)
        return outputs


class Upsample(OneWeight):
    """Spreads each value of a channel over a kernel, times one weight, into neurons."""

    is_transposed = True

    type: Literal["upsample"]
