"""Reads files of spike events without numpy: .bs1, .bs2 (which N-MNIST calls .bin) and .npy.

A .bs1 file has no header and 5 bytes per event, big-endian: 16 bits neuron, 1 bit polarity, 23 bits
time in microseconds. A .bs2 file has 8 bits x and 8 bits y instead of the neuron (the N-MNIST
format). An .npy file is a numpy array with rows x, p, t, or x, y, p, t, or x, y, p, t, payload, and
times in milliseconds.

The columns are buffers, which numpy can use without a copy.
"""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

from netdesc.description.files.npy import HEADER_ERRORS, Header, join_shape, numbers, read_header

MAX_TIME_MS = 4e9
"""46 days. Later times, in microseconds, could overflow 64 bits when they are binned."""

MICROSECONDS_HINT = "are the times in µs? .npy times are milliseconds"

SUFFIXES = (".bs1", ".bs2", ".bin", ".npy")
RECORD_BYTES = 5
"""The number of bytes of an event in files of other formats than .npy."""
_MAX_INTEGER = (1 << 31) - 1
_EXPECTED = "expected: rows of x, p, t, of x, y, p, t, or of x, y, p, t, payload"

# Tables for bytes.translate: the highest byte of a time also contains the polarity.
_TIME_BITS = bytes(each & 0x7F for each in range(256))
_POLARITY_BIT = bytes(each >> 7 for each in range(256))


class EventsError(ValueError):
    """The file is damaged or holds invalid events.

    The message is a predicate, such as "is cut off", which follows the name of the file. ``hint``
    names a likely cause and may be empty.
    """

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(problem)
        self.hint = hint


class EventLengthError(EventsError):
    """A .bs1 or .bs2 file ends within an event."""


@dataclass(frozen=True, slots=True)
class Columns:
    """All events of a file, in the order of the file, one sequence per column.

    If ``y`` is ``None``, ``x`` is the neuron's index; otherwise ``x`` and ``y`` are coordinates of
    a pixel. ``p`` is the polarity. ``x``, ``y`` and ``p`` are whole numbers of at most 32 bits. The
    unit of ``times`` is 1/``times_per_ms`` ms; times are finite and at most ``MAX_TIME_MS``.
    """

    x: Sequence[float]
    y: Sequence[float] | None
    p: Sequence[float]
    times: Sequence[float]
    times_per_ms: int
    payload: Sequence[float] | None = None
    """What each event carries, finite numbers; ``None`` if every event is a spike of size 1."""

    def microseconds(self) -> Sequence[float]:
        """Returns the times, rounded to whole microseconds."""
        if self.times_per_ms == 1000:
            return self.times
        return [round(time * 1000) for time in self.times]


@dataclass(frozen=True, slots=True)
class OpenedEvents:
    """An open file of ``count`` events, whose length or header is valid.

    ``read`` may be called once. It raises EventsError if an event is invalid, and OSError.
    """

    count: int
    read: Callable[[], Columns]


def open_events(file: BinaryIO, suffix: str, size: int) -> OpenedEvents:
    """Checks the length (.bs1, .bs2) or the header (.npy) of a file of ``size`` bytes.

    ``suffix`` tells the format. Raises OSError, and EventsError for a wrong length or header.
    """
    if suffix == ".npy":
        return _open_npy(file, size)
    if size % RECORD_BYTES:
        raise EventLengthError(
            f"has {size} bytes, which is no multiple of {RECORD_BYTES}; it is cut off or has "
            "another format"
        )
    return OpenedEvents(size // RECORD_BYTES, partial(_read_records, file, suffix, size))


def _read_records(file: BinaryIO, suffix: str, size: int) -> Columns:
    raw = file.read(size)
    first, second, high, middle, low = (raw[byte::RECORD_BYTES] for byte in range(RECORD_BYTES))
    times = _big_endian(high.translate(_TIME_BITS), middle, low)
    p = memoryview(high.translate(_POLARITY_BIT))
    if suffix == ".bs1":
        return Columns(_big_endian(first, second), None, p, times, 1000)
    return Columns(memoryview(first), memoryview(second), p, times, 1000)


def _big_endian(*columns: bytes) -> array[int]:
    """Joins two to four columns of bytes to a column of numbers. The highest byte comes first."""
    wide = bytearray(4 * len(columns[0]))
    for place, column in enumerate(columns, 4 - len(columns)):
        wide[place::4] = column
    values = array("I", bytes(wide))
    assert values.itemsize == 4
    if sys.byteorder == "little":
        values.byteswap()
    return values


def _open_npy(file: BinaryIO, size: int) -> OpenedEvents:
    try:
        header, start = read_header(file)
    except HEADER_ERRORS as problem:
        raise EventsError("is not an .npy file, or it is cut off or damaged") from problem
    if header.fields:
        raise EventsError(f"holds records; {_EXPECTED}", _records_hint(header.fields))
    if header.kind not in "iuf" or header.code is None:
        raise EventsError(f"holds no numbers of 1 to 8 bytes; {_EXPECTED}")
    if len(header.shape) != 2 or header.shape[1] not in (3, 4, 5):
        is_transposed = len(header.shape) == 2 and header.shape[0] in (3, 4, 5)
        hint = "save the array's .T, which has a row for each event" if is_transposed else ""
        raise EventsError(f"has the shape [{join_shape(header.shape)}]; {_EXPECTED}", hint)
    if start + header.bytes > size:
        raise EventsError("is cut off: it is shorter than its header says")
    return OpenedEvents(header.shape[0], partial(_read_rows, file, header))


def _records_hint(fields: Sequence[str]) -> str:
    """Returns a hint that makes rows of an array whose records have these fields."""
    given = f"its fields are {', '.join(fields)}"
    if not {"x", "p", "t"}.issubset(fields):
        return given
    columns = ", ".join(f"a['{name}']" for name in "xyp" if name in fields)
    return f"{given}; if t is in µs, save numpy.c_[{columns}, a['t'] / 1000]"


def _read_rows(file: BinaryIO, header: Header) -> Columns:
    values = memoryview(numbers(header, file.read(header.bytes)))
    columns = header.columns(values)
    width = len(columns)
    payload = columns.pop() if width == 5 else None
    *places, times = columns
    names = "xp" if width == 3 else "xyp"
    for name, column in zip(names, places, strict=True):
        _require_whole(name, column, header.kind == "f", f"{', '.join(names)}, t")
    _require_times(times)
    if payload is not None and not all(map(math.isfinite, payload)):
        row = next(row for row, value in enumerate(payload) if not math.isfinite(value))
        raise EventsError(f"has the payload {payload[row]} in its row {row}")
    y = None if width == 3 else places[1]
    return Columns(places[0], y, places[-1], times, 1, payload)


def _require_whole(name: str, column: Sequence[float], is_float: bool, order: str) -> None:
    is_whole = not is_float or all(map(float.is_integer, column))
    if is_whole and max(map(abs, column), default=0) <= _MAX_INTEGER:
        return
    row = next(
        row
        for row, value in enumerate(column)
        if not abs(value) <= _MAX_INTEGER or value != int(value)
    )
    problem = f"has the {name} {column[row]:.10g} in its row {row}, not a whole number"
    raise EventsError(problem, f"the columns are {order}")


def _require_times(times: Sequence[float]) -> None:
    if all(map(math.isfinite, times)) and max(map(abs, times), default=0) <= MAX_TIME_MS:
        return
    row = next(row for row, time in enumerate(times) if not abs(time) <= MAX_TIME_MS)
    if not math.isfinite(times[row]):
        raise EventsError(f"has the time {times[row]} in its row {row}")
    raise EventsError(
        f"has the time {times[row]:,.10g} ms in its row {row}; at most 46 days are possible",
        MICROSECONDS_HINT,
    )
