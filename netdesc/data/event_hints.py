"""Hints about events outside the network (ND308), and about columns and times that probably mean
something else (ND330).
"""

import math

import numpy as np

from netdesc.description.shapes import Shape
from netdesc.events import Event
from netdesc.events.files import MICROSECONDS_HINT

_MIN_UNIT_RATIO = 100
"""Times have another unit if they are as many times as long, or as short, as a sample."""
_MIN_EVENTS = 10
"""Fewer events may all be early."""


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
    hint = f"add {plane} to x where p is 1, or save the columns x, y, p, t"
    return f"{text}{list(shape)}", hint


def is_indexed_by_plane(event: Event, shape: Shape) -> bool:
    """Whether x, y and p index a shape, and not x alone."""
    return event.y is not None and (len(shape) != 1 or bool(event.y.any()))


def smallest_shape(event: Event, shape: Shape) -> Shape:
    """Returns the smallest shape with room for all events, of as many axes as they index."""
    columns = (event.p, event.y, event.x) if is_indexed_by_plane(event, shape) else (event.x,)
    return tuple(max(0, int(column.max())) + 1 for column in columns if column is not None)


def size_hint(needed: Shape, shape: Shape, is_target: bool) -> str:
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
