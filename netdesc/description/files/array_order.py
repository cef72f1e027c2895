"""Recognises inputs whose axes have the order of another tool."""

from __future__ import annotations

from netdesc.description.models import Arrays
from netdesc.description.shapes import Shape


def hint_for_order(data: Arrays, shape: Shape, steps: int, actual: Shape, samples: int = 0) -> str:
    """Returns the hint that exchanges the axes of inputs of the shape ``actual``.

    ``shape`` is that of the network's input and ``samples`` the number of labels, 0 if it is not
    known. The hint is empty if the axes are in netdesc's order, or in
    no order that another tool has.
    """
    name = data.inputs
    if samples and actual == (*shape, samples) and actual[0] != samples:
        axes = ".T" if len(actual) == 2 else f", changed with numpy.moveaxis({name}, -1, 0)"
        return f"the {samples} samples are on the last axis: save {name}{axes}"
    if "steps" not in data.encoding.file_axes:
        return ""
    if actual[1:] == (*shape, steps) and actual[2:] != shape:
        last = len(actual) - 1
        axes = ", ".join(map(str, (0, last, *range(1, last))))
        return f"the {steps} steps belong on the second axis: {name}.transpose({axes})"
    if actual == (steps, samples, *shape) and samples not in (0, steps):
        return f"the {samples} samples belong on the first axis: {name}.swapaxes(0, 1)"
    return ""
