"""Checks shapes of arrays: the order of the axes of inputs, and the shape of target values."""

from __future__ import annotations

import math

from netdesc.description.files.npy import join_shape
from netdesc.description.models import Arrays
from netdesc.description.shapes import Shape


def hint_for_order(data: Arrays, shape: Shape, steps: int, actual: Shape, samples: int = 0) -> str:
    """Returns the hint that exchanges the axes of inputs of the shape ``actual``.

    ``shape`` is that of the network's input, ``samples`` the number of labels or 0. The hint is
    empty if the axes are in netdesc's order, or in no order that another tool has.
    """
    name = data.inputs
    if samples and actual == (*shape, samples) and actual[0] != samples:
        axes = ".T" if len(actual) == 2 else f", changed with numpy.moveaxis({name}, -1, 0)"
        return f"the {samples} samples are on the last axis: save {name}{axes}"
    has_steps = "steps" in data.encoding.file_axes
    if has_steps and actual[1:] == (*shape, steps) and actual[2:] != shape:
        last = len(actual) - 1
        axes = ", ".join(map(str, (0, last, *range(1, last))))
        return f"the {steps} steps belong on the second axis: {name}.transpose({axes})"
    if has_steps and actual == (steps, samples, *shape) and samples not in (0, steps):
        return f"the {samples} samples belong on the first axis: {name}.swapaxes(0, 1)"
    first, other = len(actual) - 3, (*shape[1:], *shape[:1])
    if len(shape) == 3 and first in (1 + has_steps, 2) and actual[first:] == other != shape:
        axes = join_shape((*range(first), first + 2, first, first + 1))
        return f"channels come before rows and columns: {name}.transpose({axes})"
    return ""


def hint_for_reshape(data: Arrays, shape: Shape, actual: Shape) -> str:
    """Returns the hint that flattens a sample of inputs or removes axes of length 1; else "".

    There is no hint for a flat sample of an image, as the order of its axes is unknown.
    """
    axes = len(data.encoding.file_axes)
    long, wanted = ([length for length in each if length > 1] for each in (actual[axes:], shape))
    is_possible = len(actual) >= axes and math.prod(long) == math.prod(wanted)
    if not is_possible or (len(wanted) > 1 and long != wanted):
        return ""
    return f"{data.inputs}.reshape({join_shape((*actual[:axes], *shape))}) fits"


def target_shape_problem(
    actual: Shape, samples: int, steps: int | None, output: Shape, are_spikes: bool = False
) -> tuple[str, str] | None:
    """Returns what is wrong with the shape ``actual`` of targets, and a hint; None if it fits.

    Each of ``samples`` samples has one target of the shape ``output`` or, unless ``steps`` is None,
    one for each of ``steps`` steps, which spikes must have.
    """
    fitting = [(samples, *output)] + ([] if steps is None else [(samples, steps, *output)])
    if are_spikes:
        del fitting[0]
    if actual in fitting:
        return None
    expected = f"[{join_shape(fitting[0])}]"
    if len(fitting) > 1:
        expected += f", or [{join_shape(fitting[1])}] with one target per step"
    hint = ""
    if output == (1,) and (*actual, 1) in fitting:
        hint = "[…, None] adds the axis of the output"
    elif steps is not None and actual[2:] == output and 0 < actual[1] < steps:
        hint = f"steps that inputs lack are filled up; targets need all {steps}"
    elif steps is None and len(actual) == len(output) + 2 and actual[2:] == output:
        hint = 'only losses with "over": "each_step", or with a window, compare every step'
    return f"has the shape [{join_shape(actual)}]; expected: {expected}", hint
