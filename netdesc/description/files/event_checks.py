"""Checks that a file's events fit the network (ND304, ND306 to ND308, ND322, ND323, ND330).

An event counts as outside if binning (netdesc.events.binning) would drop it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from netdesc.description.diagnostics.diagnostic import Diagnostic
from netdesc.description.files.event_doubts import doubt_about
from netdesc.description.files.event_files import (
    MICROSECONDS_HINT,
    Columns,
    EventLengthError,
    EventsError,
    open_events,
)
from netdesc.description.files.file_context import FileContext
from netdesc.description.json.tree import Parts
from netdesc.description.models import EventFile, Time
from netdesc.description.shapes import INPUT, Shape, output_locations, shape_locations
from netdesc.description.source import file_size
from netdesc.description.source_map import RelatedPath

MAX_EVENTS = 200_000
"""The events of larger files are checked only when training reads them."""

_MIN_UNIT_RATIO = 100
"""Times are taken to be microseconds if their median is at least this many sample durations."""


@dataclass(slots=True)
class EventChecks:
    """Checks one event file of the document, whose path is at ``parts``."""

    context: FileContext
    file: EventFile
    parts: Parts

    @property
    def is_target(self) -> bool:
        return self.parts[-2] == "target"

    @property
    def time(self) -> Time:
        """The steps of the network's input or, for a target, output."""
        time, wiring = self.context.document.time, self.context.wiring
        if not self.is_target:
            return time
        step_ms = time.step_ms * wiring.decimations[-1]
        return time.model_copy(update={"steps": wiring.steps[-1], "step_ms": step_ms})

    @property
    def shape_locations(self) -> tuple[RelatedPath, ...]:
        """The places that explain the shape of the network's input or, for a target, output."""
        document = self.context.document
        return output_locations(document) if self.is_target else shape_locations(document, INPUT)

    def run(self, file: Path) -> Iterator[Diagnostic]:
        """Yields the diagnostics of a file. Raises OSError, or ValueError if it is not regular."""
        path, context, suffix = self.file.path, self.context, file.suffix.lower()
        shape = context.wiring.outputs[-1] if self.is_target else context.document.input.shape
        size = file_size(file)
        try:
            with file.open("rb") as stream:
                opened = open_events(stream, suffix, size)
                events = opened.read() if opened.count <= MAX_EVENTS else None
        except EventsError as problem:
            code = "ND304" if isinstance(problem, EventLengthError) else "ND322"
            yield self._diagnostic(code, f"{path} {problem}", [problem.hint])
            return
        if events is None:
            why = f"it has more than {MAX_EVENTS:,}"
            context.unchecked.append(f"the events of {path} were not checked: {why}")
        elif not opened.count:
            yield self._without_events(f"{path} has no events")
        elif shape is not None:
            duration_ms = self.time.steps * self.time.step_ms
            doubt = doubt_about(events, shape, duration_ms)
            found = self._outside_events(events, shape, suffix)
            yield from (each for each in found if doubt is None or each.code != "ND308")
            if doubt is not None:
                problem, hint = doubt
                yield self._diagnostic("ND330", f"{path} {problem}", [hint], severity="warning")

    def _outside_events(self, events: Columns, shape: Shape, suffix: str) -> Iterator[Diagnostic]:
        indexed = _indexed_shape(events, shape)
        if indexed is None:
            yield self._without_rows(events, shape)
            return
        columns = (events.x,) if len(indexed) == 1 else _planes(events)
        times = events.microseconds()
        bounds = [(times, *_time_limits_us(self.time, self.file.rounding))]
        bounds += [(column, 0, size - 1) for column, size in zip(columns, indexed, strict=True)]
        outside = _count_outside(bounds)
        if not outside:
            return
        needed = _smallest_shape(columns)
        is_larger = any(size > limit for size, limit in zip(needed, indexed, strict=True))
        hints = self._time_hints(sorted(times), suffix)
        if events.y is not None and min(events.p) < 0:
            hints.insert(0, "polarities are 0 and 1: save (p + 1) // 2")
        related = (RelatedPath(("time", "steps"), "the length of a sample"),)
        if is_larger:
            hints, related = [self._size_hint(needed, shape), *hints], self.shape_locations
            if self.is_target:
                hints.append(f"shapes: {self.context.output_trace} → target {list(needed)}")
        side, size = "outputs" if self.is_target else "inputs", " x ".join(map(str, shape))
        extent = f"the {size} {side} and {self.time.steps * self.time.step_ms:g} ms of the network"
        where = f"of {self.file.path} lie outside {extent}"
        if outside == len(times):
            yield self._without_events(f"all {outside} events {where}", hints, related)
        else:
            message = f"{outside} of {len(times)} events {where}"
            hints.append("training drops them")
            yield self._diagnostic("ND308", message, hints, related=related, severity="warning")

    def _without_events(
        self, message: str, hints: Sequence[str] = (), related: tuple[RelatedPath, ...] = ()
    ) -> Diagnostic:
        """Returns the error of a target, or the warning of an input, that has no event inside."""
        code, severity = ("ND306", "error") if self.is_target else ("ND307", "warning")
        return self._diagnostic(code, message, hints, related=related, severity=severity)

    def _without_rows(self, events: Columns, shape: Shape) -> Diagnostic:
        side = "output" if self.is_target else "input.shape"
        message = (
            f"{self.file.path} has events with x, y and polarity, which index a shape "
            f"[channels, height, width]; the network's {side} is {list(shape)}"
        )
        hint = f'"shape": {list(_smallest_shape(_planes(events)))} has room for all of them'
        if self.is_target:
            hint = "the output has one axis: use x alone as the index of the neuron"
        return self._diagnostic("ND323", message, [hint], related=self.shape_locations)

    def _time_hints(self, times: Sequence[float], suffix: str) -> list[str]:
        """Returns the hint about the unit or the last of the sorted ``times``, in microseconds."""
        duration_us = self.time.steps * self.time.step_ms * 1000
        if suffix == ".npy" and times[len(times) // 2] >= _MIN_UNIT_RATIO * duration_us:
            return [MICROSECONDS_HINT]
        if times[-1] >= duration_us:
            return [f"the last event is at {times[-1] / 1000:g} ms"]
        is_rounded_up = times[-1] > _time_limits_us(self.time, self.file.rounding)[1]
        return ['"rounding": "floor" keeps those of the last half step'] if is_rounded_up else []

    def _size_hint(self, needed: Shape, shape: Shape) -> str:
        """Returns a hint that says which shape or how many units have room for all events."""
        largest = f"the largest neuron is {needed[0] - 1}, which needs"
        if len(needed) == 3:
            p, y, x = (size - 1 for size in needed)
            largest = f"the largest x, y and p are {x}, {y} and {p}, which need"
        if self.is_target:
            return f"{largest} {math.prod(needed)} units"
        if len(needed) == 1 < len(shape):
            return f"{largest} {needed[0]} inputs"
        return f'{largest} "shape": {list(needed)}'

    def _diagnostic(
        self, code: str, message: str, hints: Sequence[str], **details: Any
    ) -> Diagnostic:
        """Returns a diagnostic, with the first hint beside the caret and further hints as notes."""
        hint, *notes = hints or ("",)
        diagnostic = self.context.source_map.diagnostic
        return diagnostic(code, self.parts, message, hint=hint, notes=tuple(notes), **details)


def _indexed_shape(events: Columns, shape: Shape) -> Shape | None:
    """Returns the shape that the events index: [channels, height, width] or [neurons].

    Events with ``y`` need a ``shape`` of three axes, or of one axis if every ``y`` is 0. Returns
    ``None`` for another shape.
    """
    if events.y is None or (len(shape) == 1 and not any(events.y)):
        return (math.prod(shape),)
    return shape if len(shape) == 3 else None


def _planes(events: Columns) -> tuple[Sequence[float], ...]:
    """Returns the columns ``p``, ``y`` and ``x``, which index [channels, height, width]."""
    assert events.y is not None
    return events.p, events.y, events.x


def _smallest_shape(columns: Sequence[Sequence[float]]) -> Shape:
    """Returns the smallest shape with room for all events, one axis per column."""
    return tuple(int(max(0, *column)) + 1 for column in columns)


def _time_limits_us(time: Time, rounding: str) -> tuple[int, int]:
    """Returns the first and the last whole microsecond that belong to a step of the sample.

    The computation uses fractions, because floor(0.3 / 0.1) is 2 in floating point.
    """
    step = (Fraction(repr(time.step_ms)) * 1000).limit_denominator(1_000_000)
    if rounding == "floor":
        return 0, math.ceil(time.steps * step) - 1
    # Times are rounded to the nearest step, so the last step ends half a step before the sample.
    # A time exactly between two steps is rounded to the even step.
    end = (time.steps - Fraction(1, 2)) * step
    last = math.floor(end)
    if last == end and time.steps % 2 == 0:
        last -= 1
    return math.ceil(-step / 2), last


def _count_outside(bounds: Sequence[tuple[Sequence[float], int, int]]) -> int:
    """Counts the events outside of ``bounds``: a column, its lowest and highest valid value."""
    outside: set[int] = set()
    for column, low, high in bounds:
        if min(column) < low or max(column) > high:  # skips the slow loop for most columns
            outside |= {row for row, value in enumerate(column) if not low <= value <= high}
    return len(outside)
