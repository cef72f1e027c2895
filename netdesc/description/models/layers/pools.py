"""Layers without neurons that reduce their input: pools of windows, means of neurons and steps."""

from typing import ClassVar, Literal

from netdesc.description.models.layers.base import PlainSection, Shape, ShapeError, require_vector
from netdesc.description.models.layers.convolution import (
    Count,
    CountOrZero,
    Pair,
    require_image,
    window_counts,
)
from netdesc.sections import both, field


class Pooling(PlainSection):
    """Base class of the layers that output one value of each window of a channel."""

    is_mean: ClassVar[bool]

    kernel: Count = field(
        "Height and width of the window: one number for both, or [height, width].",
        unit="pixels",
        example=2,
    )
    stride: Count | None = field(
        "Distance of neighbouring windows. Null is the size of the window.",
        unit="pixels",
        default=None,
        example=2,
    )
    padding: CountOrZero = field(
        "Rows and columns that are added at each edge; at most half of the kernel.",
        unit="pixels",
        default=0,
    )

    @property
    def window(self) -> tuple[Pair, Pair, Pair]:
        """Kernel, stride and padding as pairs of rows and columns."""
        stride = self.kernel if self.stride is None else self.stride
        return both(self.kernel), both(stride), both(self.padding)

    def output_shape(self, shape: Shape) -> Shape:
        require_image(shape)
        kernel, stride, padding = self.window
        if any(2 * pad > window for pad, window in zip(padding, kernel, strict=True)):
            raise ShapeError("has a padding above half of its kernel", field="padding")
        return shape[0], *window_counts((shape[1], shape[2]), kernel, stride, padding, (1, 1))


class MaxPool(Pooling):
    """Hands on the largest value of each window; of spikes, whether there is one."""

    is_mean = False

    type: Literal["max_pool"]


class AveragePool(Pooling):
    """Hands on the mean of each window, cut to a multiple of 1/4096; padding counts as 0."""

    is_mean = True

    type: Literal["average_pool"]


class PopulationAverage(PlainSection):
    """Hands on the means of groups of consecutive neurons, cut to multiples of 1/4096."""

    size_field = "units"

    type: Literal["population_average"]
    units: int = field(
        "Number of groups of equal size.", unit="values", ge=1, le=1 << 20, example=10
    )

    def output_shape(self, shape: Shape) -> Shape:
        require_vector(shape)
        if shape[0] % self.units:
            raise ShapeError(f"cannot divide {shape[0]} neurons into {self.units}", "", "units")
        return (self.units,)


class TimeDecimation(PlainSection):
    """Hands on the mean of each group of consecutive steps, cut to a multiple of 1/4096; missing
    steps of the last group count as 0.
    """

    type: Literal["time_decimation"]
    factor: int = field("Number of steps in a group.", unit="steps", ge=1, le=1_000_000, example=4)

    @property
    def decimation(self) -> int:
        return self.factor

    def output_steps(self, steps: int) -> int:
        if self.factor > steps:
            raise ShapeError(f"needs {self.factor} steps; its input has {steps}", "", "factor")
        return -(-steps // self.factor)
