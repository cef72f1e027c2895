"""Ways out of missing arrays, and of labels that are no classes."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from netdesc.description.files.npy import Header
from netdesc.description.models import Arrays
from netdesc.description.spelling import did_you_mean

SPLIT_VALUES = "0 is for training, 1 for validation, 2 for testing"
JOIN = "join the parts: "


def hint_for_missing(data: Arrays, names: Collection[str], field: str, name: str) -> str:
    """Returns the hint for a file of arrays ``names`` that lacks the one of ``field``."""
    if {"train", "test"} <= {word for each in names for word in each.lower().split("_")}:
        arrays = {**data.array_names, "split": data.split or "split"}
        return f"{JOIN}arrays {', '.join(arrays.values())}, in which {SPLIT_VALUES}"
    if likely := did_you_mean(name, names):
        return likely
    if {*names} - {*data.array_names.values()}:
        return f'name one of its arrays: "{field}": …'
    hint = "save an array of this name, with an entry for each sample"
    return f"{hint}: {SPLIT_VALUES}" if field == "split" else hint


def hint_for_conversion(
    name: str, header: Header, classes: int | None, values: Sequence[float]
) -> str:
    """Returns the numpy call that converts an array to labels; "" if unknown.

    ``values`` are those of floats, or empty if there are too many.
    """
    if len(header.shape) == 2 and header.shape[1] == classes:
        return f"for one column per class, {name}.argmax(axis=1) gives the labels"
    if any(map(math.isnan, values)):
        return "NaN is a missing label: leave out these samples"
    if any(value % 1 for value in values):
        return 'classes are whole numbers; other numbers are "targets", which other losses take'
    flat = f"{name}.ravel()" if header.shape[1:] == (1,) else name
    if header.kind in "SU":
        return f"for names, numpy.unique({flat}, return_inverse=True)[1] gives the labels"
    call = f"{flat}.astype(int)" if header.kind in "fb" else flat
    return "" if call == name else f"{call} converts it"


def hint_for_class(name: str, axes: int, values: Sequence[float], classes: int) -> str:
    """Returns how labels, of which some name none of ``classes``, may do so; "" if unknown."""
    lowest, highest = min(values), max(values)
    if {*values} == {-1, 1} and classes > 1:
        return f"({name} > 0).astype(int) has the classes 0 and 1"
    if lowest < 0 <= highest < classes and axes == 1:
        return f"leave out the samples without a class: keep those where {name} >= 0"
    return "labels count from 0, not from 1: subtract 1" if lowest == 1 < highest == classes else ""
