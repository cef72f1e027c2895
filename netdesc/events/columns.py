"""The columns of spike events: their conversion from lists and arrays, and their cells."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from netdesc.events.binning import (
    MAX_TIME_MS,
    Duplicates,
    Rounding,
    cell_numbers,
    real_inputs,
    require_choice,
    step_numbers,
)
from netdesc.events.numbers import number_array, records_hint

Integers = NDArray[np.signedinteger]

_MAX_INTEGER = 2**31

CHUNK_EVENTS = 1 << 20
"""The number of events that are converted at a time, which takes about 100 MB."""


class EventChunks(Protocol):
    """Events that are summarised and drawn chunk by chunk, so that files need not fit in memory."""

    def chunks(self) -> "Iterator[EventColumns]":
        """Yields all events in their order, the same ones at each call."""
        ...


@dataclass(frozen=True, eq=False, init=False)
class EventColumns:
    """The columns of an ``Event``; see there."""

    x: Integers
    """The index of the neuron, or the column of the pixel if there is ``y``."""
    y: Integers | None
    """The row of the pixel; None if ``x`` is the index of a neuron."""
    p: Integers
    """The polarity (the channel)."""
    t: NDArray[np.float64]
    """The time in milliseconds."""
    payload: NDArray[np.float64] | None
    """What each event carries; None if every event is a spike of size 1."""

    def __init__(
        self,
        x: ArrayLike,
        y: ArrayLike | None = None,
        p: ArrayLike | None = None,
        t: ArrayLike | None = None,
        payload: ArrayLike | None = None,
    ) -> None:
        if t is None:
            needed = "an Event needs t, the times of its events in milliseconds"
            raise TypeError("; ".join(filter(None, (needed, records_hint(x)))))
        times = _floats("t", t, "times")
        polarities = np.zeros(times.shape, np.int32) if p is None else _integers("p", p)
        fields: dict[str, NDArray | None] = {
            "x": _integers("x", x),
            "y": None if y is None else _integers("y", y),
            "p": polarities,
            "t": times,
            "payload": None if payload is None else _floats("payload", payload, "numbers"),
        }
        for name, column in fields.items():
            object.__setattr__(self, name, column)  # the class is frozen
        columns = [column for column in fields.values() if column is not None]
        if any(column.ndim != 1 or len(column) != len(self.t) for column in columns):
            shapes = ", ".join(str(column.shape) for column in columns)
            needed = "event columns must be one-dimensional and equally long"
            raise ValueError(f"{needed}, not {shapes}")

    def __len__(self) -> int:
        return len(self.t)

    def part(self, rows: slice | NDArray[np.integer]) -> "EventColumns":
        """Returns some of the events."""
        y = None if self.y is None else self.y[rows]
        payload = None if self.payload is None else self.payload[rows]
        return EventColumns(self.x[rows], y, self.p[rows], self.t[rows], payload)

    def chunks(self) -> "Iterator[EventColumns]":
        """See ``EventChunks``."""
        for start in range(0, len(self), CHUNK_EVENTS):
            yield self.part(slice(start, start + CHUNK_EVENTS))

    def microseconds(self) -> NDArray[np.int64]:
        """Returns whole microseconds, clipped to ±46 days so that sums stay inside 64 bits."""
        return np.rint(np.clip(self.t, -MAX_TIME_MS, MAX_TIME_MS) * 1000.0).astype(np.int64)

    def cells(
        self, shape: tuple[int, ...], steps: int, step_ms: float, rounding: Rounding
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Returns the row-major index in ``[steps, *shape]`` of each event, and whether it has one.

        ``to_dense`` explains how the index is computed, and lists the errors.
        """
        cell, is_inside = cell_numbers(self.x, self.y, self.p, shape)
        step = step_numbers(self.microseconds(), step_ms, rounding)
        is_inside &= (step >= 0) & (step < steps)
        return np.where(is_inside, step * math.prod(shape) + cell, 0), is_inside

    def binned(
        self,
        shape: tuple[int, ...],
        steps: int,
        step_ms: float,
        rounding: Rounding,
        duplicates: Duplicates,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32], int]:
        """Returns the indices in ``[steps, *shape]`` of the cells with events, and their values.

        The third value is the number of events outside. ``to_dense`` explains indices and values,
        and lists the errors.
        """
        require_choice(duplicates, Duplicates)
        every, is_inside = self.cells(shape, steps, step_ms, rounding)
        index, inverse, count = np.unique(every[is_inside], return_inverse=True, return_counts=True)
        value = count.astype(np.float32) if duplicates == "sum" else np.ones(len(index), np.float32)
        if self.payload is not None:
            payload = self.payload[is_inside]
            total = np.zeros(len(index))
            if duplicates == "sum":
                np.add.at(total, inverse, payload)
            else:
                total[inverse] = payload  # numpy keeps the last one
            value = real_inputs(total)
        return index, value, len(self) - int(is_inside.sum())


def _column(name: str, values: ArrayLike) -> NDArray[Any]:
    try:
        return number_array(values)
    except ValueError as error:
        raise ValueError(f"the column {name} of events: {error}") from error


def _floats(name: str, values: ArrayLike, what: str) -> NDArray[np.float64]:
    column = _column(name, values).astype(np.float64, copy=False)
    if not np.isfinite(column).all():
        raise ValueError(f"the column {name} of events must hold finite {what}")
    return column


def _integers(name: str, column: ArrayLike) -> Integers:
    array = _column(name, column)
    if array.dtype.kind in "iu":
        return array
    rounded = np.rint(array.astype(np.float64))
    if not ((rounded == array) & (np.abs(rounded) < _MAX_INTEGER)).all():
        raise ValueError(f"the column {name} of events must hold whole numbers below 2³¹")
    return rounded.astype(np.int32)
