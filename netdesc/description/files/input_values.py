"""Checks the values of an array of inputs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from netdesc.description.diagnostics.diagnostic import Severity
from netdesc.description.files.array_values import bad_values
from netdesc.description.files.npy import Header
from netdesc.description.models import Arrays
from netdesc.description.models.arrays import MAX_REAL_INPUT


class ValueProblem(NamedTuple):
    """A diagnostic of wrong values, at the field ``field`` of the section ``data``."""

    code: str
    field: str
    message: str
    severity: Severity = "error"
    hint: str = ""
    notes: tuple[str, ...] = ()


def input_value_problem(
    data: Arrays, header: Header, values: Sequence[float]
) -> ValueProblem | None:
    """Returns what is wrong with the values of the array of inputs, or ``None``.

    The array is not empty, and its shape fits the encoding.
    """
    encoding = data.encoding
    if not encoding.is_real and "steps" in encoding.file_axes:
        return _spikes(data, header, values)
    return (_scaled if data.is_scaled else _real)(data, header, values)


def _spikes(data: Arrays, header: Header, values: Sequence[float]) -> ValueProblem | None:
    if {0, 1}.issuperset(values):
        return None
    place, value, count = bad_values(data.inputs, header, values, lambda value: value not in (0, 1))
    message = f"{place} is {value:g}; a spike is 1, and no spike is 0"
    notes = (f"{count} of {len(values)} values are neither",)
    return ValueProblem("ND321", "inputs", message, notes=notes)


def _scaled(data: Arrays, header: Header, values: Sequence[float]) -> ValueProblem | None:
    low, high = (header.round_to_type(end) for end in data.range)
    smallest, largest = min(values), max(values)
    # min and max may miss a NaN, but a sum with a NaN is NaN.
    if low >= high or (low <= smallest and largest <= high and not math.isnan(sum(values))):
        return None
    place, value, count = bad_values(
        data.inputs, header, values, lambda value: not low <= value <= high
    )
    ends = data.range
    message = f"{place} is {value:g}; data.range goes from {ends[0]:g} to {ends[1]:g}"
    notes = (f"{count} of {len(values)} values lie outside",)
    if math.isfinite(sum(values)):
        notes += (f"the values go from {smallest:g} to {largest:g}",)
    return ValueProblem("ND320", "range", message, notes=notes)


def _real(data: Arrays, header: Header, values: Sequence[float]) -> ValueProblem | None:
    if not all(map(math.isfinite, values)):
        place, value, count = bad_values(data.inputs, header, values, _is_no_number)
        notes = (f"{count} of {len(values)} values are NaN or infinite",)
        return ValueProblem("ND320", "inputs", f"{place} is {value:g}", notes=notes)
    if max(map(abs, values)) <= MAX_REAL_INPUT:
        return None
    place, value, count = bad_values(
        data.inputs, header, values, lambda value: abs(value) > MAX_REAL_INPUT
    )
    message = f"{place} is {value:g}; inputs beyond ±{MAX_REAL_INPUT} are cut off"
    notes = (f"{count} of {len(values)} values are beyond",)
    return ValueProblem("ND320", "inputs", message, "warning", "scale the values", notes)


def _is_no_number(value: float) -> bool:
    return not math.isfinite(value)
