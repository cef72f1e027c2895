"""Checks the values of arrays without numpy (ND320, ND321)."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import IO, NamedTuple

from netdesc.description.diagnostics.diagnostic import Severity
from netdesc.description.files.array_source import MAX_READ_BYTES, ArraySource
from netdesc.description.files.npy import Header, join_shape, numbers, read_header
from netdesc.description.models import Arrays

MAX_CHECKED_BYTES = 64 << 20
"""The values of larger arrays are not checked: Python compares some ten million in a second."""


def first_wrong_value(
    name: str,
    header: Header,
    values: Sequence[float],
    is_wrong: Callable[[float], bool],
    start: int = 0,
) -> tuple[str, float, int]:
    """Returns the place of the first wrong value, this value, and the number of wrong values.

    The place is a text such as ``inputs[0, 3]`` for the array ``name``. ``values`` begin at the
    position ``start`` of the array, and at least one of them is wrong.
    """
    wrong = [position for position, value in enumerate(values) if is_wrong(value)]
    return f"{name}[{join_shape(header.index(start + wrong[0]))}]", values[wrong[0]], len(wrong)


class ValueProblem(NamedTuple):
    """A diagnostic of wrong values, at the field ``field`` of the section ``data``."""

    code: str
    field: str
    message: str
    severity: Severity = "error"
    hint: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _ValueCheck:
    """The check that values are from ``low`` to ``high``; spikes must be whole numbers, too.

    ``message`` and ``note`` follow the first wrong value and the number of wrong values.
    """

    low: float
    high: float
    code: str
    field: str
    message: str
    note: str
    severity: Severity = "error"
    hint: str = ""

    def is_wrong(self, value: float) -> bool:
        return not self.low <= value <= self.high or (self.code == "ND321" and value % 1 != 0)

    def accepts(self, header: Header, raw: bytes, values: Sequence[float]) -> bool:
        """Returns True if all values of a block are right. Bytes are checked fastest."""
        if header.code in ("B", "?"):
            right = bytes(value for value in range(256) if not self.is_wrong(value))
            return not raw.translate(None, right)
        if self.code == "ND321":
            return {0, 1}.issuperset(values)
        # min and max may miss a NaN, but a sum with a NaN is NaN.
        return self.low <= min(values) <= max(values) <= self.high and not math.isnan(sum(values))

    def first_problem(self, name: str, file: IO[bytes]) -> ValueProblem | None:
        """Reads an .npy file to the first block with a wrong value. EOFError if it ends early."""
        header, _ = read_header(file)
        start = 0
        while raw := file.read(MAX_READ_BYTES):
            values = numbers(header, raw)
            end = start + len(values)
            if not self.accepts(header, raw, values) and any(map(self.is_wrong, values)):
                place, value, count = first_wrong_value(name, header, values, self.is_wrong, start)
                of = f"the first {end}" if end < header.size else f"{end}"
                notes = (f"{count} of {of} values {self.note}",)
                field, reason, hint = self.field, self.message, self.hint
                if math.isfinite(sum(values)):
                    if field == "range" and len(values) == header.size:
                        hint = f'"range": [{min(values)}, {max(values)}] holds all values'
                    if self.code == "ND321" and {*values} == {0, max(values)}:
                        hint = f"if {value:g} is a spike, save {name} > 0"
                    span = f"from {min(values):g} to {max(values):g}"
                    which = "the values" if len(values) == header.size else "the values around it"
                    notes = (*notes, f"{which} go {span}")
                if math.isnan(value):
                    field, reason = "inputs", "no encoding takes NaN"
                    hint = f"numpy.nan_to_num({name}) writes 0 for it"
                message = f"{place} is {value:g}; {reason}"
                return ValueProblem(self.code, field, message, self.severity, hint, notes)
            start = end
        if start != header.size:
            raise EOFError
        return None


def find_input_problem(source: ArraySource, data: Arrays, header: Header) -> ValueProblem | None:
    """Returns what is wrong with the values of the inputs, or ``None``. Raises ArrayFileError."""
    for check in _input_checks(data, header):
        problem = source.read(data.inputs, partial(check.first_problem, data.inputs))
        if problem is not None:
            return problem
    return None


def _input_checks(data: Arrays, header: Header) -> Iterator[_ValueCheck]:
    if not data.encoding.is_real and "steps" in data.encoding.file_axes:
        message = "a spike is 1, and no spike is 0"
        hint = 'numbers that are no spikes need "encoding": {"type": "series"}'
        yield _ValueCheck(0, 1, "ND321", "inputs", message, "are neither", hint=hint)
    elif data.is_scaled:
        low, high = (header.round_to_type(end) for end in data.range)
        message = f"data.range goes from {data.range[0]:g} to {data.range[1]:g}"
        if low < high:  # else ND216
            yield _ValueCheck(low, high, "ND320", "range", message, "lie outside")
    else:
        largest, note = sys.float_info.max, "are NaN or infinite"
        yield _ValueCheck(-largest, largest, "ND320", "inputs", "inputs are numbers", note)
        limit = data.encoding.largest
        message = f"inputs beyond ±{limit} are cut off"
        yield _ValueCheck(
            -limit, limit, "ND320", "inputs", message, "are beyond", "warning", "scale the values"
        )
