"""Ways out of wrong arrays: missing names, labels that are no classes, and the order of axes."""

import math
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from netdesc.description.models import Arrays
from netdesc.description.shapes import Shape
from netdesc.description.spelling import did_you_mean
from netdesc.events.npy_header import ArrayHeader

SPLIT_VALUES = "0 is for training, 1 for validation, 2 for testing"
JOIN = "join the parts: "
KIND_NAMES = {
    "b": "booleans",
    **dict.fromkeys("iu", "integers"),
    "f": "floats",
    "c": "complex numbers",
    **dict.fromkeys("SU", "text"),
    "M": "dates",
    "m": "time spans",
    "V": "records",
}
"""Maps numpy's ``dtype.kind`` to words."""


def for_missing(data: Arrays, names: Collection[str], field: str, name: str) -> str:
    """Returns the hint for a file of arrays ``names`` that lacks the one of ``field``."""
    if {"train", "test"} <= {word for listed in names for word in listed.lower().split("_")}:
        arrays = {**data.array_names, "split": data.split or "split"}
        return f"{JOIN}arrays {', '.join(arrays.values())}, in which {SPLIT_VALUES}"
    if likely := did_you_mean(name, names):
        return likely
    if {*names} - {*data.array_names.values()}:
        return f'name one of its arrays: "{field}": …'
    hint = "save an array of this name, with an entry for each sample"
    return f"{hint}: {SPLIT_VALUES}" if field == "split" else hint


def for_conversion(
    name: str, header: ArrayHeader, classes: int | None, values: NDArray | None
) -> str:
    """Returns the numpy call that converts an array to labels; "" if unknown.

    ``values`` are those of floats, or None if there are too many.
    """
    kind = header.dtype.kind
    if len(header.shape) == 2 and header.shape[1] == classes:
        return f"for one column per class, {name}.argmax(axis=1) gives the labels"
    if values is not None and np.isnan(values).any():
        return "NaN is a missing label: leave out these samples"
    if values is not None and (values != np.rint(values)).any():
        return 'classes are whole numbers; other numbers are "targets", which other losses take'
    flat = f"{name}.ravel()" if header.shape[1:] == (1,) else name
    if kind in "SU":
        return f"for names, numpy.unique({flat}, return_inverse=True)[1] gives the labels"
    call = f"{flat}.astype(int)" if kind in "fb" else flat
    return "" if call == name else f"{call} converts it"


def for_class(name: str, values: NDArray, classes: int) -> str:
    """Returns how labels, of which some name none of ``classes``, may do so; "" if unknown."""
    lowest, highest = values.min(), values.max()
    if classes > 1 and lowest == -1 and highest == 1 and values.all():
        return f"({name} > 0).astype(int) has the classes 0 and 1"
    if lowest < 0 <= highest < classes and values.ndim == 1:
        return f"leave out the samples without a class: keep those where {name} >= 0"
    return "labels count from 0, not from 1: subtract 1" if lowest == 1 < highest == classes else ""


def for_order(data: Arrays, shape: Shape, steps: int, actual: Shape, samples: int = 0) -> str:
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
        axes = ", ".join(map(str, (*range(first), first + 2, first, first + 1)))
        return f"channels come before rows and columns: {name}.transpose({axes})"
    return ""


def for_reshape(data: Arrays, shape: Shape, actual: Shape) -> str:
    """Returns the hint that flattens a sample of inputs or removes axes of length 1; else "".

    There is no hint for a flat sample of an image, as the order of its axes is unknown.
    """
    axes = len(data.encoding.file_axes)
    long, wanted = ([length for length in each if length > 1] for each in (actual[axes:], shape))
    is_possible = len(actual) >= axes and math.prod(long) == math.prod(wanted)
    if not is_possible or (len(wanted) > 1 and long != wanted):
        return ""
    return f"{data.inputs}.reshape{(*actual[:axes], *shape)} fits"


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
    expected = f"{list(fitting[0])}"
    if len(fitting) > 1:
        expected += f", or {list(fitting[1])} with one target per step"
    hint = ""
    if output == (1,) and (*actual, 1) in fitting:
        hint = "[…, None] adds the axis of the output"
    elif steps is not None and actual[2:] == output and 0 < actual[1] < steps:
        hint = f"steps that inputs lack are filled up; targets need all {steps}"
    elif steps is None and len(actual) == len(output) + 2 and actual[2:] == output:
        hint = 'only losses with "over": "each_step", or with a window, compare every step'
    return f"has the shape {list(actual)}; expected: {expected}", hint
