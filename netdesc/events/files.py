"""Reads and writes files of spike events: .bs1, .bs2 (which N-MNIST calls .bin) and .npy.

A .bs1 file has no header and 5 bytes per event, big-endian: 16 bits neuron, 1 bit polarity, 23 bits
time in microseconds. A .bs2 file has 8 bits x and 8 bits y instead of the neuron (the N-MNIST
format). An .npy file is a numpy array with rows x, p, t, or x, y, p, t, or x, y, p, t, payload, and
times in milliseconds.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from netdesc.atomic_write import failure_reason
from netdesc.events.binning import MAX_TIME_MS
from netdesc.events.columns import CHUNK_EVENTS, EventChunks
from netdesc.events.container import Event
from netdesc.events.file_errors import (
    EventFileAccessError,
    EventFileError,
    EventLengthError,
    atomic_output_path,
)
from netdesc.events.npy_header import DAMAGE_ERRORS, read_header

MAX_FILE_BYTES = 256 * 2**20
"""The largest size of an event file. A .bs1 or .bs2 file of this size has 54 million events."""

MICROSECONDS_HINT = "are the times in µs? .npy times are milliseconds"
RECORD_BYTES = 5
"""The number of bytes of an event in files of other formats than .npy."""

_MAX_RECORD_US = 2**23 - 1
_MAX_INTEGER = 2**31 - 1
_ROWS = "expected: rows of x, p, t, of x, y, p, t, or of x, y, p, t, payload"


def read_events(path: str | Path) -> Event:
    """Reads a file of events in the format of its suffix: ``.bs1``, ``.bs2``, ``.bin`` or
    ``.npy``.

    EventFileError if the file cannot be read or holds invalid events.
    """
    events = open_events(path)
    if isinstance(events, Event):
        return events
    with _file_errors(events.path), events.path.open("rb") as file:
        return events.read(file, events.events)


def open_events(path: str | Path) -> "Event | RecordFile":
    """Reads an ``.npy`` file; of other files only checks the length, to read them chunk by chunk.

    EventFileError as ``read_events``.
    """
    path = Path(path)
    with _file_errors(path):
        suffix = _suffix(path)
        size = path.stat().st_size
        if not path.is_file():
            raise ValueError("is not a regular file")
        if size > MAX_FILE_BYTES:
            raise ValueError(f"is {size} bytes long; an event file may have {MAX_FILE_BYTES}")
        if suffix == ".npy":
            with path.open("rb") as file:
                return _decode_npy(path, file, size)
    if size % RECORD_BYTES:
        problem = f"has {size} bytes, which is no multiple of {RECORD_BYTES}; it is cut off or "
        raise EventLengthError(path, f"{problem}has another format")
    return RecordFile(path, suffix, size // RECORD_BYTES)


@dataclass(frozen=True)
class RecordFile(EventChunks):
    """A file of another format than .npy, with its number of ``events``."""

    path: Path
    suffix: str
    events: int

    def chunks(self) -> Iterator[Event]:
        """Reads the file. EventFileError if that fails."""
        with _file_errors(self.path), self.path.open("rb") as file:
            for start in range(0, self.events, CHUNK_EVENTS):
                yield self.read(file, min(CHUNK_EVENTS, self.events - start))

    def read(self, file: BinaryIO, events: int) -> Event:
        """Reads the next ``events`` of the open file. ValueError if there are fewer."""
        raw = file.read(events * RECORD_BYTES)
        if len(raw) != events * RECORD_BYTES:
            raise ValueError("became shorter while it was read")
        return _decode_records(np.frombuffer(raw, np.uint8).reshape(-1, RECORD_BYTES), self.suffix)


@contextmanager
def _file_errors(path: Path) -> Iterator[None]:
    """Converts what reading a file raises to EventFileError."""
    try:
        yield
    except FileNotFoundError:
        raise EventFileAccessError(path, "there is no such event file") from None
    except OSError as error:
        raise EventFileAccessError(path, failure_reason(error)) from error
    except EventFileError:
        raise
    except ValueError as error:
        raise EventFileError(path, str(error)) from error


def _decode_records(rows: NDArray[np.uint8], suffix: str) -> Event:
    first, second, high, middle, low = (rows[:, byte].astype(np.int32) for byte in range(5))
    t = ((high & 0x7F) << 16 | middle << 8 | low) / 1000
    if suffix == ".bs1":
        return Event(first << 8 | second, None, high >> 7, t)
    return Event(first, second, high >> 7, t)


def _decode_npy(path: Path, file: BinaryIO, size: int) -> Event:
    try:
        shape, dtype, _, start = header = read_header(file)
        file.seek(0)
    except DAMAGE_ERRORS as error:
        raise EventFileError(path, "is not an .npy file, or it is cut off or damaged") from error
    if dtype.names:
        raise EventFileError(path, f"holds records; {_ROWS}", _records_hint(dtype.names))
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise EventFileError(path, f"holds no numbers of 1 to 8 bytes; {_ROWS}")
    if len(shape) != 2 or shape[1] not in (3, 4, 5):
        is_transposed = len(shape) == 2 and shape[0] in (3, 4, 5)
        hint = "save the array's .T, which has a row for each event" if is_transposed else ""
        raise EventFileError(path, f"has the shape {list(shape)}; {_ROWS}", hint)
    if start + header.bytes > size:
        raise EventFileError(path, "is cut off: it is shorter than its header says")
    rows = np.lib.format.read_array(file, allow_pickle=False)
    columns = list((rows.astype(np.float64) if dtype.kind == "f" else rows).T)
    payload = columns.pop() if len(columns) == 5 else None
    names = "xp" if len(columns) == 3 else "xyp"
    *places, times = columns
    whole: dict[str, NDArray[np.int32]] = {}
    for name, column in zip(names, places, strict=True):
        is_small = (column >= -_MAX_INTEGER) & (column <= _MAX_INTEGER)
        is_whole = is_small & (np.rint(column) == column)
        if not is_whole.all():
            row = int(is_whole.argmin())
            problem = f"has the {name} {column[row]:.10g} in its row {row}, not a whole number"
            raise EventFileError(path, problem, f"the columns are {', '.join(names)}, t")
        whole[name] = column.astype(np.int32)
    is_time = (times >= -MAX_TIME_MS) & (times <= MAX_TIME_MS)
    if not is_time.all():
        row = int(is_time.argmin())
        if not np.isfinite(times[row]):
            raise EventFileError(path, f"has the time {times[row]} in its row {row}")
        problem = f"has the time {times[row]:,.10g} ms in its row {row}; at most 46 days are "
        raise EventFileError(path, f"{problem}possible", MICROSECONDS_HINT)
    if payload is not None and not np.isfinite(payload).all():
        row = int(np.isfinite(payload).argmin())
        raise EventFileError(path, f"has the payload {payload[row]} in its row {row}")
    return Event(whole["x"], whole.get("y"), whole["p"], times.astype(np.float64), payload)


def _records_hint(fields: Sequence[str]) -> str:
    """Returns a hint that makes rows of an array whose records have these fields."""
    listed = f"its fields are {', '.join(fields)}"
    if not {"x", "p", "t"}.issubset(fields):
        return listed
    columns = ", ".join(f"a['{name}']" for name in "xyp" if name in fields)
    return f"{listed}; if t is in µs, save numpy.c_[{columns}, a['t'] / 1000]"


def write_events(path: str | Path, event: Event) -> None:
    """Writes ``event`` atomically, in the format of the suffix, with times in whole microseconds.

    EventFileError if the format cannot hold an event (the message names the first such event), or
    if the file cannot be written; TypeError if ``event`` is no ``Event``.
    """
    if not isinstance(event, Event):
        raise TypeError(
            f"an Event is needed, not {type(event).__name__}: write_events(path, event); "
            "netdesc.events.from_dense converts an array of spikes"
        )
    path = Path(path)
    with _file_errors(path):
        content = _ENCODERS[_suffix(path)](event)
    with atomic_output_path(path) as temporary:
        temporary.write_bytes(content)


def _suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in _ENCODERS:
        known = ", ".join(_ENCODERS)
        raise ValueError(f"does not have the suffix of an event file; known are {known}")
    return suffix


def _encode_bs1(event: Event) -> bytes:
    if event.y is not None:
        raise ValueError("events with x and y cannot be written as .bs1; use .bs2 or .npy")
    _require_range("neuron", event.x, 0xFFFF)
    return _encode_records(event.x >> 8, event.x & 0xFF, event)


def _encode_bs2(event: Event) -> bytes:
    if event.y is None:
        raise ValueError("events without y cannot be written as .bs2; use .bs1 or .npy")
    _require_range("x", event.x, 0xFF)
    _require_range("y", event.y, 0xFF)
    return _encode_records(event.x, event.y, event)


def _encode_records(first: NDArray, second: NDArray, event: Event) -> bytes:
    if event.payload is not None:
        raise ValueError("events with payloads cannot be written as .bs1 or .bs2; use .npy")
    microseconds = _microseconds(event)
    _require_range("polarity", event.p, 1)
    _require_range("time in microseconds", microseconds, _MAX_RECORD_US)
    high = event.p.astype(np.int64) << 7 | microseconds >> 16
    columns = [first, second, high, microseconds >> 8 & 0xFF, microseconds & 0xFF]
    return np.stack(columns, axis=1).astype(np.uint8).tobytes()


def _encode_npy(event: Event) -> bytes:
    y, payload = event.y, event.payload
    if y is None and payload is not None:
        y = np.zeros_like(event.x)  # only rows of five numbers have a payload
    columns = [event.x, *([] if y is None else [y]), event.p, _microseconds(event) / 1000.0]
    columns += [] if payload is None else [payload]
    rows = np.stack(columns, axis=1).astype(np.float64)
    file = io.BytesIO()
    np.save(file, rows, allow_pickle=False)
    return file.getvalue()


def _require_range(what: str, values: NDArray, largest: int) -> None:
    wrong = np.flatnonzero((values < 0) | (values > largest))
    if len(wrong):
        raise ValueError(
            f"event {wrong[0]} has {what} {values[wrong[0]]}; this format holds 0 to {largest}, "
            ".npy holds more"
        )


def _microseconds(event: Event) -> NDArray[np.int64]:
    """Returns the times in whole microseconds. ValueError for times that ``Event`` would clip."""
    wrong = np.flatnonzero(~(np.abs(event.t) <= MAX_TIME_MS))
    if len(wrong):
        raise ValueError(f"event {wrong[0]} has time {event.t[wrong[0]]} ms, which no file holds")
    return event.microseconds()


_ENCODERS: dict[str, Callable[[Event], bytes]] = {
    ".bs1": _encode_bs1,
    ".bs2": _encode_bs2,
    ".bin": _encode_bs2,
    ".npy": _encode_npy,
}

EVENT_SUFFIXES = tuple(_ENCODERS)
