"""Event files: ``.bs1``, ``.bs2`` and ``.npy``.

``.bs1`` is 5 bytes an event, big-endian, without a header: 16 bits neuron, 1 bit polarity, 23 bits
time in microseconds. ``.bs2`` has 8 bits x and 8 bits y instead of the neuron (the N-MNIST format).
``.npy`` is a numpy array with rows ``x, p, t`` or ``x, y, p, t``, times in milliseconds.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError

import numpy as np
from numpy.typing import NDArray

from netdesc.events.atomic import atomic_path
from netdesc.events.container import TIME_LIMIT_US, Event

LARGEST_FILE = 256 * 2**20
"""Bytes. A full one holds 54 million events, more than a 23-bit clock can tell apart in earnest."""

_RECORD_BYTES = 5
_LARGEST_TIME_US = 2**23 - 1
_LARGEST_WHOLE = 2**31 - 1


class EventFileError(ValueError):
    """An event file cannot be read or written; the message names the file and says why."""

    def __init__(self, path: str | Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = Path(path)
        self.problem = problem


@dataclass(frozen=True)
class EventFormat:
    """How one kind of file is read and written. Both raise ValueError with the bare problem."""

    read: Callable[[Path], Event]
    encode: Callable[[Event], NDArray]
    save: Callable[[Path, NDArray], None]


def read_events(path: str | Path) -> Event:
    """Reads a ``.bs1``, ``.bs2`` or ``.npy`` file; the suffix says which. EventFileError."""
    path = Path(path)
    try:
        reader = _format_of(path).read
        size = path.stat().st_size
        if not path.is_file():
            raise ValueError("is not a regular file")
        if size > LARGEST_FILE:
            raise ValueError(f"is {size} bytes long; an event file may have {LARGEST_FILE}")
        return reader(path)
    except FileNotFoundError:
        raise EventFileError(path, "there is no such event file") from None
    except (OSError, ValueError) as error:
        raise EventFileError(path, _reason(error)) from error


def write_events(path: str | Path, event: Event) -> None:
    """Writes ``event`` in the format of the suffix, exact to the microsecond, all or nothing.

    EventFileError where the format cannot hold an event (it names the first) or the disk is full.
    """
    path = Path(path)
    try:
        form = _format_of(path)
        rows = form.encode(event)
    except ValueError as error:
        raise EventFileError(path, str(error)) from error
    with whole_file(path) as temporary:
        form.save(temporary, rows)


@contextlib.contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """``atomic_path`` for a file that the user named: EventFileError where it cannot be written."""
    try:
        with atomic_path(path) as temporary:
            yield temporary
    except OSError as error:
        raise EventFileError(path, _reason(error)) from error


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[0].lower() + error.strerror[1:]
    return str(error)


def _format_of(path: Path) -> EventFormat:
    form = FORMATS.get(path.suffix.lower())
    if form is None:
        raise ValueError(f"is not an event file by its name; known are {', '.join(FORMATS)}")
    return form


# .bs1 and .bs2


def _read_records(path: Path) -> NDArray[np.uint8]:
    data = np.fromfile(path, dtype=np.uint8)
    if len(data) % _RECORD_BYTES:
        raise ValueError(
            f"is {len(data)} bytes long, which is not a multiple of {_RECORD_BYTES}; "
            "the file is truncated or of another format"
        )
    return data.reshape(-1, _RECORD_BYTES)


def _polarity_and_time(records: NDArray[np.uint8]) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    high = records[:, 2].astype(np.int32)
    microseconds = (high & 0x7F) << 16 | records[:, 3].astype(np.int32) << 8 | records[:, 4]
    return high >> 7, microseconds / 1000.0


def _read_bs1(path: Path) -> Event:
    records = _read_records(path)
    p, t = _polarity_and_time(records)
    return Event(records[:, 0].astype(np.int32) << 8 | records[:, 1], None, p, t)


def _read_bs2(path: Path) -> Event:
    records = _read_records(path)
    p, t = _polarity_and_time(records)
    return Event(records[:, 0].astype(np.int32), records[:, 1].astype(np.int32), p, t)


def _records(first: NDArray, second: NDArray, event: Event) -> NDArray[np.uint8]:
    microseconds = _microseconds(event)
    _require_range("polarity", event.p, 1)
    _require_range("time in microseconds", microseconds, _LARGEST_TIME_US)
    high = event.p.astype(np.int64) << 7 | microseconds >> 16
    columns = [first, second, high, microseconds >> 8 & 0xFF, microseconds & 0xFF]
    return np.stack(columns, axis=1).astype(np.uint8)


def _encode_bs1(event: Event) -> NDArray[np.uint8]:
    if event.y is not None:
        raise ValueError("events with x and y cannot be written as .bs1; use .bs2 or .npy")
    _require_range("neuron", event.x, 0xFFFF)
    return _records(event.x >> 8, event.x & 0xFF, event)


def _encode_bs2(event: Event) -> NDArray[np.uint8]:
    if event.y is None:
        raise ValueError("events without y cannot be written as .bs2; use .bs1 or .npy")
    _require_range("x", event.x, 0xFF)
    _require_range("y", event.y, 0xFF)
    return _records(event.x, event.y, event)


def _require_range(what: str, values: NDArray, largest: int) -> None:
    wrong = np.flatnonzero((values < 0) | (values > largest))
    if len(wrong):
        raise ValueError(
            f"event {wrong[0]} has {what} {values[wrong[0]]}; this format holds 0 to {largest}"
        )


def _microseconds(event: Event) -> NDArray[np.int64]:
    """Times as files hold them. ValueError for those that the container would only clip."""
    wrong = np.flatnonzero(~(np.abs(event.t) <= TIME_LIMIT_US / 1000.0))
    if len(wrong):
        raise ValueError(f"event {wrong[0]} has time {event.t[wrong[0]]} ms, which no file holds")
    return event.microseconds()


def _save_bytes(path: Path, rows: NDArray) -> None:
    rows.tofile(path)


# .npy


# What numpy's header reader raises on headers that are damaged.
_HEADER_ERRORS = (ValueError, TypeError, SyntaxError, TokenError, OverflowError, RecursionError)


def _map_npy(path: Path) -> NDArray:
    # A memory map, because it compares the declared shape with the file's size and allocates
    # nothing, and because it cannot unpickle.
    try:
        return np.lib.format.open_memmap(path, mode="r")
    except _HEADER_ERRORS as error:
        cause = str(error).partition("\n")[0]
        if "mmap length" in cause:
            cause = "it is shorter than its header says"
        raise ValueError(f"is not a complete numpy array ({cause})") from error


def _read_npy(path: Path) -> Event:
    rows = _map_npy(path)
    if rows.dtype.kind not in "iuf":
        raise ValueError(f"holds {rows.dtype}; rows of numbers (x, p, t or x, y, p, t) are needed")
    if rows.ndim != 2 or rows.shape[1] not in (3, 4):
        raise ValueError(
            f"has shape {list(rows.shape)}; rows of x, p, t or of x, y, p, t are needed"
        )
    names = ("x", "p") if rows.shape[1] == 3 else ("x", "y", "p")
    whole = {name: _whole(name, rows[:, column]) for column, name in enumerate(names)}
    t = rows[:, -1].astype(np.float64)
    if not np.isfinite(t).all():
        raise ValueError(f"event {np.flatnonzero(~np.isfinite(t))[0]} has time NaN or infinity")
    wrong = np.flatnonzero(np.abs(t) > TIME_LIMIT_US / 1000.0)
    if len(wrong):
        raise ValueError(f"event {wrong[0]} has time {t[wrong[0]]:,.10g} ms; 46 days are the most")
    return Event(whole["x"], whole.get("y"), whole["p"], t)


def _whole(name: str, values: NDArray) -> NDArray[np.int32]:
    wrong = np.flatnonzero(~(np.abs(values.astype(np.float64)) <= _LARGEST_WHOLE))
    if not len(wrong):
        wrong = np.flatnonzero(values != np.trunc(values))
    if len(wrong):
        raise ValueError(f"event {wrong[0]} has {name} {values[wrong[0]]}, not a whole number")
    return values.astype(np.int32)


def _encode_npy(event: Event) -> NDArray[np.float64]:
    columns = [event.x, event.p] if event.y is None else [event.x, event.y, event.p]
    return np.stack([*columns, _microseconds(event) / 1000.0], axis=1).astype(np.float64)


def _save_npy(path: Path, rows: NDArray) -> None:
    np.save(path, rows, allow_pickle=False)


FORMATS = {
    ".bs1": EventFormat(_read_bs1, _encode_bs1, _save_bytes),
    ".bs2": EventFormat(_read_bs2, _encode_bs2, _save_bytes),
    ".npy": EventFormat(_read_npy, _encode_npy, _save_npy),
}
