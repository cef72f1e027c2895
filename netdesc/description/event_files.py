"""The events of a file, as far as a quick look reads them.

The formats are those of netdesc.events, which needs numpy and reads them for training. Here only a
bounded part of a file is read, and nothing beside the standard library is needed.
"""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from netdesc.description.npz import DAMAGE, Header, numbers, read_header

RECORD_BYTES = 5
"""Bytes of one event of a .bs1 or .bs2 file."""
QUICK_EVENTS = (1 << 20) // RECORD_BYTES
"""Files of up to so many events are checked event by event."""
LATEST_MS = 4e9
"""46 days, the latest time that the reader for training takes."""

_LARGEST = (1 << 31) - 1


class OddLength(ValueError):
    """A .bs1 or .bs2 file ends within an event; says so, after "the file …"."""


class NoEvents(ValueError):
    """A .npy file holds something else than events; says what, after "the file …".

    ``hint`` may say what to do.
    """

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(problem)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Events:
    """All events of a file: ``y`` is None where ``x`` numbers the neurons. Times are in µs."""

    x: Sequence[int]
    y: Sequence[int] | None
    p: Sequence[int]
    us: Sequence[int]

    def __len__(self) -> int:
        return len(self.x)


def read_events(file: BinaryIO, suffix: str, size: int) -> Events | None:
    """The events of an open file of ``size`` bytes; None where there are too many to look at all.

    Raises OddLength and NoEvents; OSError where the file cannot be read.
    """
    return _READERS[suffix](file, size)


_WITHOUT_POLARITY = bytes(each & 0x7F for each in range(256))
"""Clears the top bit of a byte."""


def _records(file: BinaryIO, size: int) -> list[bytes] | None:
    """The five columns of bytes of a .bs1 or .bs2 file."""
    if size % RECORD_BYTES:
        raise OddLength(f"has {size} bytes, which is no multiple of the {RECORD_BYTES} of an event")
    if size > QUICK_EVENTS * RECORD_BYTES:
        return None
    raw = file.read(size)
    return [raw[column::RECORD_BYTES] for column in range(RECORD_BYTES)]


def _numbers(*columns: bytes) -> list[int]:
    """The big-endian numbers whose bytes stand in two to four columns, the highest first."""
    wide = bytearray(4 * len(columns[0]))
    for place, column in enumerate(columns, 4 - len(columns)):
        wide[place::4] = column
    found = array("I", bytes(wide))
    assert found.itemsize == 4
    if sys.byteorder == "little":
        found.byteswap()
    return found.tolist()


def _times(high: bytes, middle: bytes, low: bytes) -> list[int]:
    return _numbers(high.translate(_WITHOUT_POLARITY), middle, low)


def _bs1(file: BinaryIO, size: int) -> Events | None:
    columns = _records(file, size)
    if columns is None:
        return None
    x = _numbers(*columns[:2])
    return Events(x, None, bytes(len(x)), _times(*columns[2:]))


def _bs2(file: BinaryIO, size: int) -> Events | None:
    columns = _records(file, size)
    if columns is None:
        return None
    p = [each >> 7 for each in columns[2]]
    return Events(columns[0], columns[1], p, _times(*columns[2:]))


def _npy(file: BinaryIO, size: int) -> Events | None:
    try:
        header, start = read_header(file)
    except DAMAGE as problem:
        raise NoEvents("is no .npy file, or is cut off or damaged") from problem
    shape = header.shape
    if header.kind not in "iuf":
        raise NoEvents("holds no numbers; wanted: rows of x, p, t or of x, y, p, t")
    if len(shape) != 2 or shape[1] not in (3, 4):
        listed = ", ".join(map(str, shape))
        raise NoEvents(f"has the shape [{listed}]; wanted: rows of x, p, t or of x, y, p, t")
    wanted = header.size * header.item_bytes
    if start + wanted > size:
        raise NoEvents("is cut off: it is shorter than its header says")
    if shape[0] > QUICK_EVENTS or header.code is None:
        return None
    raw = file.read(wanted)
    if len(raw) < wanted:
        raise NoEvents("is cut off: it is shorter than its header says")
    return _rows(header, numbers(header, raw))


def _rows(header: Header, values: Sequence[float]) -> Events:
    count, width = header.shape
    if header.fortran_order:
        columns = [values[column * count : (column + 1) * count] for column in range(width)]
    else:
        columns = [values[column::width] for column in range(width)]
    names = ("x", "p") if width == 3 else ("x", "y", "p")
    whole = {name: _whole(name, column) for name, column in zip(names, columns, strict=False)}
    times = columns[-1]
    wrong = next((at for at, t in enumerate(times) if not abs(t) <= LATEST_MS), None)
    if wrong is not None:
        if not math.isfinite(times[wrong]):
            raise NoEvents(f"has the time {times[wrong]} in its row {wrong}")
        message = f"has the time {times[wrong]:.10g} ms in its row {wrong}; 46 days are the most"
        raise NoEvents(message, "are the times in µs? .npy times are milliseconds")
    return Events(whole["x"], whole.get("y"), whole["p"], [round(t * 1000) for t in times])


def _whole(name: str, values: Sequence[float]) -> list[int]:
    for at, value in enumerate(values):
        if not abs(value) <= _LARGEST or value != int(value):
            raise NoEvents(f"has the {name} {value} in its row {at}, not a whole number")
    return [int(value) for value in values]


_READERS: dict[str, Callable[[BinaryIO, int], Events | None]] = {
    ".bs1": _bs1,
    ".bs2": _bs2,
    ".npy": _npy,
}
