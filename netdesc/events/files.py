"""Reads and writes event files. ``description.files.event_files`` describes the formats."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netdesc.atomic_write import failure_reason
from netdesc.description.files.event_files import MAX_TIME_MS, EventsError, open_events
from netdesc.events.container import Event
from netdesc.events.file_errors import EventFileAccessError, EventFileError, write_file

MAX_FILE_BYTES = 256 * 2**20
"""The largest size of an event file. A .bs1 or .bs2 file of this size has 54 million events."""

_MAX_RECORD_US = 2**23 - 1


def read_events(path: str | Path) -> Event:
    """Reads a file of events in the format of its suffix: ``.bs1``, ``.bs2``, ``.bin`` or
    ``.npy``.

    EventFileError if the file cannot be read or holds invalid events.
    """
    path = Path(path)
    try:
        suffix = _suffix(path)
        size = path.stat().st_size
        if not path.is_file():
            raise ValueError("is not a regular file")
        if size > MAX_FILE_BYTES:
            raise ValueError(f"is {size} bytes long; an event file may have {MAX_FILE_BYTES}")
        with path.open("rb") as file:
            columns = open_events(file, suffix, size).read()
    except FileNotFoundError:
        raise EventFileAccessError(path, "there is no such event file") from None
    except OSError as error:
        raise EventFileAccessError(path, failure_reason(error)) from error
    except EventsError as error:
        raise EventFileError(path, "; ".join(filter(None, (str(error), error.hint)))) from error
    except ValueError as error:
        raise EventFileError(path, str(error)) from error
    t = np.asarray(columns.times, np.float64) / columns.times_per_ms
    y = None if columns.y is None else _int32(columns.y)
    payload = None if columns.payload is None else np.asarray(columns.payload, np.float64)
    return Event(_int32(columns.x), y, _int32(columns.p), t, payload)


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
    try:
        content = _ENCODERS[_suffix(path)](event)
    except ValueError as error:
        raise EventFileError(path, str(error)) from error
    write_file(path, content)


def _suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in _ENCODERS:
        raise ValueError(
            f"does not have the suffix of an event file; known are {', '.join(_ENCODERS)}"
        )
    return suffix


def _int32(column: Sequence[float]) -> NDArray[np.int32]:
    return np.asarray(column).astype(np.int32)


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
