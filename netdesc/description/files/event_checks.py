"""Do the events of a file lie within the network (ND304, ND306 to ND308, ND322, ND323)?

Which events are inside is decided as binning them for training decides it: see netdesc.events.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import BinaryIO

from netdesc.description.diagnostics.diagnostic import Diagnostic, Severity
from netdesc.description.files.event_files import Columns, EventsError, OddLength, open_events
from netdesc.description.json.tree import Parts
from netdesc.description.models import EventFile, Time
from netdesc.description.shapes import Shape
from netdesc.description.source_map import RelatedPath, SourceMap

MAX_EVENTS = 200_000
"""Files of up to so many events are checked event by event; training looks at larger ones."""

_MICROSECONDS = "are the times in µs? .npy times are milliseconds"
_TOO_LATE = 100
"""Where the median of the times is so many times the network's, they are in another unit.

A recording twice as long as the network's time has a median of 1 in milliseconds and of 1000 in
microseconds.
"""


class EventChecks:
    """Checks one event file. ``parts`` is the place of its path, ``shape`` that of the network.

    ``stated`` says where the document gives this shape, ``way`` how it comes about.
    """

    def __init__(
        self,
        file: EventFile,
        time: Time,
        shape: Shape | None,
        source_map: SourceMap,
        parts: Parts,
        stated: tuple[RelatedPath, ...] = (),
        way: str = "",
    ) -> None:
        self.file = file
        self.time = time
        self.shape = shape
        self.source_map = source_map
        self.parts = parts
        self.is_target = parts[-2] == "target"
        self.stated = stated
        self.way = way

    def run(self, file: BinaryIO, suffix: str, size: int) -> Iterator[Diagnostic]:
        """What is wrong with the open file. Raises OSError where it cannot be read."""
        path = self.file.path
        try:
            opened = open_events(file, suffix, size)
            events = opened.read() if opened.count <= MAX_EVENTS else None
        except EventsError as problem:
            code = "ND304" if isinstance(problem, OddLength) else "ND322"
            hints = (problem.hint,) if problem.hint else ()
            yield self._finding(code, f"{path} {problem}", hints=hints)
            return
        if not opened.count:
            yield self._nothing(f"{path} holds no events")
        elif events is not None and self.shape is not None:
            yield from self._places_and_times(events, self.shape, suffix)

    def _places_and_times(self, events: Columns, shape: Shape, suffix: str) -> Iterator[Diagnostic]:
        indexed = _indexed(events, shape)
        if indexed is None:
            yield self._without_rows(events, shape)
            return
        columns = (events.x,) if len(indexed) == 1 else _planes(events)
        times = events.microseconds()
        count = len(times)
        first, last = _span(self.time, self.file.rounding)
        bounds = [(times, first, last)]
        bounds += [(column, 0, size - 1) for column, size in zip(columns, indexed, strict=True)]
        outside = _count_outside(bounds)
        if not outside:
            return
        where = f"of {self.file.path} lie outside {self._extent(shape)}"
        least = _shape_of(columns)
        is_larger = any(size > most for size, most in zip(least, indexed, strict=True))
        hints = self._hints(sorted(times), shape, suffix, least if is_larger else None)
        related = self.stated if is_larger else (RelatedPath(("time", "steps"), "so many steps"),)
        if is_larger and self.is_target:
            hints = (*hints, f"shapes: {self.way} → target {list(least)}")
        if outside == count:
            yield self._nothing(f"all {count} events {where}", hints, related)
        else:
            message = f"{outside} of {count} events {where}"
            hints = (*hints, "they are dropped")
            yield self._finding("ND308", message, "warning", hints, related)

    def _nothing(
        self, message: str, hints: tuple[str, ...] = (), related: tuple[RelatedPath, ...] = ()
    ) -> Diagnostic:
        """No event is left: nothing to learn, or nothing to see."""
        if self.is_target:
            return self._finding("ND306", message, "error", hints, related)
        return self._finding("ND307", message, "warning", hints, related)

    def _without_rows(self, events: Columns, shape: Shape) -> Diagnostic:
        side = "output" if self.is_target else "input.shape"
        message = (
            f"{self.file.path} has events with x, y and polarity, which index a shape "
            f"[channels, height, width]; the network's {side} is {list(shape)}"
        )
        if self.is_target:
            hint = "the output has one axis: number the neurons by x alone"
        else:
            hint = f'"shape": {list(_shape_of(_planes(events)))} holds all of them'
        return self._finding("ND323", message, hints=(hint,), related=self.stated)

    def _hints(
        self, times: Sequence[float], shape: Shape, suffix: str, larger: Shape | None
    ) -> tuple[str, ...]:
        """What may be meant, the likeliest first. ``times`` are sorted microseconds.

        ``larger`` is the shape that the events would need.
        """
        duration_us = self.time.steps * self.time.step_ms * 1000
        hints: list[str] = []
        if suffix == ".npy" and times[len(times) // 2] >= _TOO_LATE * duration_us:
            hints.append(_MICROSECONDS)
        elif times[-1] >= duration_us:
            hints.append(f"the last event is at {times[-1] / 1000:g} ms")
        if larger is not None:
            hints.insert(0, self._larger(larger, shape))
        return tuple(hints)

    def _larger(self, least: Shape, shape: Shape) -> str:
        """Which shape would hold every event."""
        if len(least) == 3:
            for turned in itertools.permutations(shape):
                if all(size <= most for size, most in zip(least, turned, strict=True)):
                    return f"the shape is [channels, height, width]: {list(turned)} holds them"
            p, y, x = (size - 1 for size in least)
            largest = f"the largest x, y and p are {x}, {y} and {p}"
        else:
            largest = f"the largest neuron is {least[0] - 1}"
        if self.is_target:
            return f"{largest}: {math.prod(least)} units would hold it"
        if len(least) == 1 < len(shape):
            return f"{largest}: a shape of {least[0]} inputs would hold it"
        return f'{largest}: "shape": {list(least)} would hold {"it" if len(least) == 1 else "them"}'

    def _extent(self, shape: Shape) -> str:
        size = " x ".join(map(str, shape))
        side = "outputs" if self.is_target else "inputs"
        return f"the {size} {side} and {self.time.steps * self.time.step_ms:g} ms of the network"

    def _finding(
        self,
        code: str,
        message: str,
        severity: Severity = "error",
        hints: tuple[str, ...] = (),
        related: tuple[RelatedPath, ...] = (),
    ) -> Diagnostic:
        """A finding with its first hint beside the caret and the others below."""
        hint = hints[0] if hints else ""
        return self.source_map.diagnostic(
            code,
            self.parts,
            message,
            hint=hint,
            notes=hints[1:],
            severity=severity,
            related=related,
        )


def _indexed(events: Columns, shape: Shape) -> Shape | None:
    """The shape that the events index: [C, H, W], or [neurons]. None where they cannot."""
    if events.y is None or (len(shape) == 1 and not any(events.y)):
        return (math.prod(shape),)
    return shape if len(shape) == 3 else None


def _planes(events: Columns) -> tuple[Sequence[float], ...]:
    """The columns that index a shape [channels, height, width]."""
    assert events.y is not None
    return events.p, events.y, events.x


def _shape_of(columns: Sequence[Sequence[float]]) -> Shape:
    """The smallest shape that holds the events."""
    return tuple(int(max(0, *column)) + 1 for column in columns)


def _span(time: Time, rounding: str) -> tuple[int, int]:
    """The first and the last whole microsecond whose step there is.

    Steps are counted in fractions: in floating point, floor(0.3 / 0.1) is 2.
    """
    step = (Fraction(repr(time.step_ms)) * 1000).limit_denominator(1_000_000)
    if rounding == "floor":
        return 0, math.ceil(time.steps * step) - 1
    # Half a step before the last one's end; the end itself goes to the even of two steps.
    end = (time.steps - Fraction(1, 2)) * step
    last = math.floor(end)
    if last == end and time.steps % 2 == 0:
        last -= 1
    return math.ceil(-step / 2), last


def _count_outside(bounds: Sequence[tuple[Sequence[float], int, int]]) -> int:
    """How many events have a value outside of the bounds of its column."""
    outside: set[int] = set()
    for column, low, high in bounds:
        if min(column) < low or max(column) > high:  # rare, and quickly told
            outside |= {row for row, value in enumerate(column) if not low <= value <= high}
    return len(outside)
