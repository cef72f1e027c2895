"""Reads and checks event files, and bins them to sparse arrays (ND304 to ND308, ND322, ND323)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from netdesc.data.data_context import DataContext, Problem
from netdesc.description.diagnostics.wording import amount
from netdesc.description.json.tree import Parts
from netdesc.description.shapes import Shape
from netdesc.description.source_map import RelatedPath
from netdesc.events import Event, EventFileError, read_events
from netdesc.events.file_errors import EventFileAccessError, EventLengthError
from netdesc.events.files import MICROSECONDS_HINT


@dataclass(frozen=True, eq=False)
class SparseSpikes:
    """The nonzero values of one float32 array [steps, *shape]; each value takes 12 bytes."""

    step: NDArray[np.int32]
    cell: NDArray[np.int32]
    """The row-major index of the neuron within ``shape``."""
    value: NDArray[np.float32]
    """The number of spikes at this step and cell, or their payload."""


NO_SPIKES = SparseSpikes(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.float32))


class Grid(NamedTuple):
    """The steps and the shape of the network's input or, of a target, its output."""

    steps: int
    step_ms: float
    shape: Shape
    about: Literal["input", "output"]

    @property
    def is_target(self) -> bool:
        return self.about == "output"

    @property
    def extent(self) -> str:
        side, size = "outputs" if self.is_target else "inputs", " x ".join(map(str, self.shape))
        return f"the {size} {side} and {self.steps * self.step_ms:g} ms of the network"


class EventReader:
    """Reads and checks event files. A file that several samples share is read once.

    Events outside of the network's steps or shape are left out.
    """

    def __init__(self, context: DataContext) -> None:
        self.context = context
        self._seen: dict[object, tuple[SparseSpikes | None, list[Problem]]] = {}
        self._dropped: dict[str, tuple[int, int]] = {}
        """Name of a file -> the number of its events outside, and of all its events."""
        self._warnings: dict[str, Problem] = {}
        """Name of a file with events outside -> the warning (ND308)."""

    def read(
        self, path: Path, name: str, parts: Parts, binning: Any, is_target: bool = False
    ) -> SparseSpikes | None:
        """Returns the spikes of a file; ``None`` if it has an error.

        The document has the file's ``name`` at ``parts``, and ``binning`` says how events are
        binned.
        """
        spec, context = self.context.spec, self.context
        grid = Grid(spec.steps, spec.step_ms, spec.input_shape, "input")
        if is_target:
            step_ms = spec.step_ms * spec.decimation
            grid = Grid(spec.output_steps, step_ms, spec.output_shape, "output")
        key = (path, is_target, binning.rounding, binning.duplicates)
        if key not in self._seen:
            self._seen[key] = self._check(path, name, grid, binning)
        spikes, problems = self._seen[key]
        for problem in problems:
            located = replace(problem, parts=parts)
            if problem.code == "ND308":
                self._warnings.setdefault(name, located)
            else:
                context.problems.append(located)
        return spikes

    def report_dropped(self) -> None:
        """Adds ND308 for the file of which most events are left out, with a note on the others."""
        if not self._dropped:
            return
        problem = self._warnings[max(self._dropped, key=lambda name: self._dropped[name][0])]
        others = len(self._dropped) - 1
        if others:
            outside, events = (sum(each[i] for each in self._dropped.values()) for i in (0, 1))
            more = amount(others, "more file")
            note = f"with {more}, {outside:,} of {events:,} events lie outside"
            problem = replace(problem, notes=(*problem.notes, note))
        self.context.problems.append(problem)

    def _check(
        self, path: Path, name: str, grid: Grid, binning: Any
    ) -> tuple[SparseSpikes | None, list[Problem]]:
        shape, steps, step_ms = grid.shape, grid.steps, grid.step_ms
        try:
            event = read_events(path)
        except EventFileError as error:
            code = _CODES.get(type(error), "ND322")
            return None, [_problem(code, f"{name} {error.problem}", [error.hint])]
        if not len(event):
            return NO_SPIKES, [_silence(grid, f"{name} has no events", [])]
        needed = smallest_shape(event, shape)
        try:
            spikes, dropped = bin_event(event, (steps, *shape), step_ms, binning)
        except ValueError:
            message = f"{name} has events with x, y and polarity, which index a shape [channels, "
            side = "output" if grid.is_target else "input.shape"
            message += f"height, width]; the network's {side} is {list(shape)}"
            hint = f'"shape": {list(needed)} has room for all of them'
            if grid.is_target:
                hint = "the output has one axis: use x alone as the index of the neuron"
            return None, [_problem("ND323", message, [hint], about=grid.about)]
        problems: list[Problem] = []
        doubt, hint = doubt_about(event, shape, steps * step_ms, path.suffix.lower())
        if dropped == len(event):
            message = f"all {dropped} events of {name} lie outside {grid.extent}"
            problems.append(_silence(grid, message, **self._outside(event, needed, grid, path)))
        elif dropped and not doubt:
            self._dropped[name] = dropped, len(event)
            details = self._outside(event, needed, grid, path)
            details["hints"].append("training drops them")
            message = f"{dropped} of {len(event)} events of {name} lie outside {grid.extent}"
            problems.append(_problem("ND308", message, severity="warning", **details))
        if doubt:
            problems.append(_problem("ND330", f"{name} {doubt}", [hint], severity="warning"))
        return spikes, problems

    def _outside(self, event: Event, needed: Shape, grid: Grid, path: Path) -> dict[str, Any]:
        """Returns hints about events outside, and the place in the document that they are about."""
        indexed = grid.shape if len(needed) == 3 else (math.prod(grid.shape),)
        hints = [time_hint(event, grid.steps, grid.step_ms, path.suffix.lower())]
        if len(needed) == 3 and int(event.p.min()) < 0:
            hints.insert(0, "polarities are 0 and 1: save (p + 1) // 2")
        if any(size > limit for size, limit in zip(needed, indexed, strict=True)):
            size_hint = hint_for_size(needed, grid.shape, grid.is_target)
            return {"hints": [size_hint, *hints], "about": grid.about}
        related = (RelatedPath(("time", "steps"), "the length of a sample"),)
        return {"hints": hints, "related": related}


_CODES: dict[type, str] = {EventLengthError: "ND304", EventFileAccessError: "ND302"}
"""Kind of error of a file -> the diagnostic code, if it is not ND322."""


def _problem(code: str, message: str, hints: Sequence[str], **details: Any) -> Problem:
    """Returns a problem with the first hint beside the caret and further hints as notes."""
    hint, *notes = [*filter(None, hints)] or [""]
    return Problem(code, (), message, hint, tuple(notes), **details)


def _silence(grid: Grid, message: str, hints: Sequence[str], **details: Any) -> Problem:
    """Returns the error of a target, or the warning of an input, that has no event inside."""
    code, severity = ("ND306", "error") if grid.is_target else ("ND307", "warning")
    return _problem(code, message, hints, severity=severity, **details)


def bin_event(event: Event, size: Shape, step_ms: float, binning: Any) -> tuple[SparseSpikes, int]:
    """Bins events to ``size``, [steps, *shape], as the section ``binning`` says.

    Returns the number of events outside, too. ValueError if the events do not index the shape.
    """
    steps, *shape = size
    how = binning.rounding, binning.duplicates
    index, value, dropped = event.binned(tuple(shape), steps, step_ms, *how)
    step, cell = np.divmod(index, int(np.prod(shape)))
    return SparseSpikes(step.astype(np.int32), cell.astype(np.int32), value), dropped


def dense_spikes(spikes: Sequence[SparseSpikes], steps: int, shape: Shape) -> NDArray[np.float32]:
    """Converts samples to a dense array [steps, samples, *shape]."""
    dense_TBN = np.zeros((steps, len(spikes), int(np.prod(shape))), dtype=np.float32)
    for number, one in enumerate(spikes):
        dense_TBN[one.step, number, one.cell] = one.value
    return dense_TBN.reshape(steps, len(spikes), *shape)


_MIN_UNIT_RATIO = 100
"""Times have another unit if they are as many times as long, or as short, as a sample."""
_MIN_EVENTS = 10  # fewer events may all be early


def doubt_about(event: Event, shape: Shape, duration_ms: float, suffix: str) -> tuple[str, str]:
    """Returns what is doubtful about events, as a predicate, and a hint; empty if nothing is.

    ``shape`` is that of the network's input, ``duration_ms`` the length of a sample.
    """
    if suffix != ".npy":
        return _doubt_about_channels(event, shape)
    times, p = np.unique(event.t), event.p
    order = "x, p, t" if event.y is None else "x, y, p, t"
    rises = len(np.unique(p)) > 2 and bool((np.diff(p) >= 0).all())
    are_times = p.max() > 1 and (rises if event.y is None else p.max() >= shape[0])
    if len(times) > 1 and np.isin(times, (-1, 0, 1)).all() and are_times:
        listed = " and ".join(f"{time:g}" for time in times)
        columns = f"are these the polarities? The columns are {order}"
        return f"has no other times than {listed}", columns
    is_early = len(event) >= _MIN_EVENTS and 0 < times[-1] * _MIN_UNIT_RATIO <= duration_ms
    if is_early and (times != np.rint(times)).any():
        text = f"has its last event at {times[-1]:.3g} ms, in a sample of {duration_ms:g} ms"
        return text, "are the times in seconds? .npy times are milliseconds"
    return _doubt_about_channels(event, shape)


def _doubt_about_channels(event: Event, shape: Shape) -> tuple[str, str]:
    plane = math.prod(shape[1:])
    has_channels = event.y is None and len(shape) == 3 and shape[0] == 2
    if not has_channels or event.x.max() >= plane or len(np.unique(event.p)) < 2:
        return "", ""
    text = "has two polarities, which netdesc does not read without y: x is the index in "
    return f"{text}{list(shape)}", f"add {plane} to x where p is 1, or save the columns x, y, p, t"


def smallest_shape(event: Event, shape: Shape) -> Shape:
    """Returns the smallest shape with room for all events, of as many axes as they index."""
    columns = (event.x,)
    if event.y is not None and (len(shape) != 1 or event.y.any()):
        columns = (event.p, event.y, event.x)
    return tuple(max(0, int(column.max())) + 1 for column in columns)


def hint_for_size(needed: Shape, shape: Shape, is_target: bool) -> str:
    """Returns a hint that says which shape or how many units have room for all events."""
    largest = f"the largest neuron is {needed[0] - 1}, which needs"
    if len(needed) == 3:
        p, y, x = (size - 1 for size in needed)
        largest = f"the largest x, y and p are {x}, {y} and {p}, which need"
    if is_target:
        return f"{largest} {math.prod(needed)} units"
    if len(needed) == 1 < len(shape):
        return f"{largest} {needed[0]} inputs"
    return f'{largest} "shape": {list(needed)}'


def time_hint(event: Event, steps: int, step_ms: float, suffix: str) -> str:
    """Returns a hint about the unit of the times or the last of them; empty if all are inside."""
    last, duration_ms = float(event.t.max()), steps * step_ms
    if suffix == ".npy" and np.median(event.t) >= _MIN_UNIT_RATIO * duration_ms:
        return MICROSECONDS_HINT
    if last >= duration_ms:
        return f"the last event is at {last:g} ms"
    is_rounded_up = last >= duration_ms - step_ms / 2
    return '"rounding": "floor" keeps those of the last half step' if is_rounded_up else ""
