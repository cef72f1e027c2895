"""Windows that slide over the height and the width of an input: fields and shape rule."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from netdesc.description.models.layers.base import Shape, ShapeError
from netdesc.sections import OrPair

SingleCount = Annotated[int, Field(ge=1, le=1 << 16)]
Count = OrPair[SingleCount]
CountOrZero = OrPair[Annotated[int, Field(ge=0, le=1 << 16)]]

Pair = tuple[int, int]

_MAX_CHANNELS = 4
"""A last axis of at most this length may be that of the channels."""


def both(value: int | Pair) -> Pair:
    """Returns the values for height and width."""
    return value if isinstance(value, tuple) else (value, value)


def require_image(shape: Shape) -> None:
    """Raises ShapeError unless the input has channels, height and width."""
    if len(shape) != 3:
        raise ShapeError(
            "needs an input of three dimensions, [channels, height, width]",
            'give the input such a shape, or add a layer of type "reshape" before it',
        )


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
