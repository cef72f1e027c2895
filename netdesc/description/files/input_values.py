"""Checks the values of an array of inputs, which may be large (ND320, ND321)."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from netdesc.description.diagnostics.diagnostic import Severity
from netdesc.description.files.npy import Header
from netdesc.description.files.npz import Npz
from netdesc.description.files.value_blocks import (
    Block,
    BlockTest,
    check_blocks,
    range_test,
    spike_test,
)
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


def find_input_problem(npz: Npz, data: Arrays, header: Header) -> ValueProblem | None:
    """Returns what is wrong with the values of the array of inputs, or ``None``.

    The numbers in the diagnostic end with the first block that has wrong values. NpzError if the
    array is damaged.
    """

    def check(
        is_correct: BlockTest, find: Callable[[Arrays, Block], ValueProblem | None]
    ) -> ValueProblem | None:
        return npz.read(
            data.inputs, lambda file: check_blocks(file, is_correct, partial(find, data))
        )

    encoding = data.encoding
    if not encoding.is_real and "steps" in encoding.file_axes:
        return check(spike_test(header), _spikes)
    if data.is_scaled:
        low, high = (header.round_to_type(end) for end in data.range)
        if low >= high:
            return None  # ND233
        return check(range_test(header, low, high), partial(_scaled, low=low, high=high))
    warning = check(range_test(header, -MAX_REAL_INPUT, MAX_REAL_INPUT), _beyond)
    if warning is None:
        return None
    # Later values may be no numbers, or damaged: these are errors, and come first.
    return check(lambda raw: header.kind != "f", _not_finite) or warning


def _spikes(data: Arrays, block: Block) -> ValueProblem | None:
    if {0, 1}.issuperset(block.values):
        return None
    place, value, count = block.bad_values(data.inputs, lambda value: value not in (0, 1))
    message = f"{place} is {value:g}; a spike is 1, and no spike is 0"
    notes = (f"{count} of {block.end} values are neither",)
    return ValueProblem("ND321", "inputs", message, notes=notes)


def _scaled(data: Arrays, block: Block, *, low: float, high: float) -> ValueProblem | None:
    """Checks ``data.range``, whose ends ``low`` and ``high`` are rounded to the array's type."""
    values = block.values
    smallest, largest = min(values), max(values)
    # min and max may miss a NaN, but a sum with a NaN is NaN.
    if low <= smallest and largest <= high and not math.isnan(sum(values)):
        return None
    place, value, count = block.bad_values(data.inputs, lambda value: not low <= value <= high)
    ends = data.range
    message = f"{place} is {value:g}; data.range goes from {ends[0]:g} to {ends[1]:g}"
    notes = (f"{count} of {block.end} values lie outside",)
    if math.isfinite(sum(values)):
        which = "the values" if block.is_whole else f"the {len(values)} values around it"
        notes += (f"{which} go from {smallest:g} to {largest:g}",)
    return ValueProblem("ND320", "range", message, notes=notes)


def _beyond(data: Arrays, block: Block) -> ValueProblem | None:
    if all(abs(value) <= MAX_REAL_INPUT for value in block.values):
        return None
    place, value, count = block.bad_values(
        data.inputs, lambda value: not abs(value) <= MAX_REAL_INPUT
    )
    message = f"{place} is {value:g}; inputs beyond ±{MAX_REAL_INPUT} are cut off"
    notes = (f"{count} of {block.end} values are beyond",)
    return ValueProblem("ND320", "inputs", message, "warning", "scale the values", notes)


def _not_finite(data: Arrays, block: Block) -> ValueProblem | None:
    if all(map(math.isfinite, block.values)):
        return None
    place, value, count = block.bad_values(data.inputs, lambda value: not math.isfinite(value))
    notes = (f"{count} of {block.end} values are NaN or infinite",)
    return ValueProblem("ND320", "inputs", f"{place} is {value:g}", notes=notes)
