"""Layers that output their input in another shape, or later."""

import math
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from netdesc.description.models.layers.base import From, PlainSection, Shape, ShapeError
from netdesc.sections import field

Size = Annotated[int, Field(ge=1, le=1 << 24)]


class Flatten(PlainSection):
    """Turns an input with several axes into one axis; the last axis varies fastest."""

    type: Literal["flatten"]

    def output_shape(self, shape: Shape) -> Shape:
        return (math.prod(shape),)


class Reshape(PlainSection):
    """Hands on the same values with other axes; the last axis varies fastest."""

    size_field = "shape"

    type: Literal["reshape"]
    shape: Annotated[tuple[Size, ...], Field(min_length=1, max_length=3)] = field(
        "Shape of the output, such as [channels, rows, columns].", example=[2, 8, 8]
    )

    def output_shape(self, shape: Shape) -> Shape:
        if math.prod(shape) != math.prod(self.shape):
            counts = f"{math.prod(self.shape):,} values, not {math.prod(shape):,}"
            raise ShapeError(f"gives {list(self.shape)}, which is {counts}", "", "shape")
        return self.shape


class Concat(PlainSection):
    """Joins the outputs of several layers along an axis."""

    sums_inputs = False

    type: Literal["concat"]
    from_: From | None = field(
        "Names of the layers whose outputs are joined, in this order.",
        default=None,
        example=["first", "second"],
        alias="from",
    )
    axis: int = field(
        "Axis along which the shapes are joined, counted from 0; the other axes are equal.",
        unit="1",
        default=0,
        ge=0,
        le=2,
    )

    def input_shape(self, shapes: Sequence[Shape]) -> Shape:
        first, axis = shapes[0], self.axis
        if axis >= len(first):
            raise ShapeError(f"has the axis {axis}, and {list(first)} has no such axis", "", "axis")
        for shape in shapes:
            if (shape[:axis], shape[axis + 1 :]) != (first[:axis], first[axis + 1 :]):
                message = f"cannot join {list(first)} and {list(shape)} along axis {axis}"
                raise ShapeError(message, "all other axes are equal", "from")
        return (*first[:axis], sum(shape[axis] for shape in shapes), *first[axis + 1 :])


class Delay(PlainSection):
    """Hands on its input some steps later."""

    type: Literal["delay"]
    steps: int = field("The steps.", unit="steps", ge=0, le=1 << 20, example=3)

    @property
    def own_delay(self) -> int:
        return self.steps
