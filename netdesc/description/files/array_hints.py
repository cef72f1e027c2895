"""Ways out of missing arrays, and of labels that are no classes."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from netdesc.description.files.npy import Header
from netdesc.description.models import Arrays
from netdesc.description.spelling import did_you_mean

SPLIT_VALUES = "0 is for training, 1 for validation, 2 for testing"
JOIN_PARTS = f"join the parts: arrays inputs, labels and split, in which {SPLIT_VALUES}"


def hint_for_missing(data: Arrays, names: Collection[str], field: str, name: str) -> str:
    """Returns the hint for a file of arrays ``names`` that lacks the one of ``field``."""
    if all(any(part in each.lower() for each in names) for part in ("train", "test")):
        return JOIN_PARTS
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
    if any(value % 1 for value in values):
        return 'classes are whole numbers; other numbers are "targets", which other losses take'
    flat = f"{name}.ravel()" if header.shape[1:] == (1,) else name
    if header.kind in "SU":
        return f"for names, numpy.unique({flat}, return_inverse=True)[1] gives the labels"
    call = f"{flat}.astype(int)" if header.kind in "fb" else flat
    return "" if call == name else f"{call} converts it"


def hint_for_class(name: str, values: Sequence[float], classes: int) -> str:
    """Returns how labels, of which some name none of ``classes``, may do so; "" if unknown."""
    lowest, highest = min(values), max(values)
    if {*values} == {-1, 1}:
        return f"({name} > 0).astype(int) has the classes 0 and 1"
    if lowest < 0:
        return f"leave out the samples without a class: keep those where {name} >= 0"
    return "labels count from 0, not from 1: subtract 1" if lowest == 1 < highest == classes else ""


def is_one_hot(header: Header, values: Sequence[float]) -> bool:
    """Whether an array of two axes has one 1 in each row and zeros else."""
    columns = header.columns(values)
    row = [0] * (len(columns) - 1) + [1]
    return len(values) > 0 and all(sorted(each) == row for each in zip(*columns, strict=True))
