"""Recognises events whose columns or times probably mean something else (ND330)."""

from __future__ import annotations

import math

from netdesc.description.files.event_files import Columns
from netdesc.description.shapes import Shape

_MIN_UNIT_RATIO = 100
"""Times are taken to be seconds if a sample is at least this many times as long as the last one."""
_MIN_EVENTS = 10
"""Fewer events may all be early."""


def doubt_about(events: Columns, shape: Shape, duration_ms: float) -> tuple[str, str] | None:
    """Returns what is doubtful about events, as a predicate, and a hint; None if nothing is.

    ``shape`` is that of the network's input, ``duration_ms`` the length of a sample.
    """
    times = set(events.times)
    order = "x, p, t" if events.y is None else "x, y, p, t"
    rises = len({*events.p}) > 2 and [*events.p] == sorted(events.p)
    are_times = max(events.p) > 1 and (rises if events.y is None else max(events.p) >= shape[0])
    if len(times) > 1 and times <= {-1, 0, 1} and are_times:
        listed = " and ".join(f"{each:g}" for each in sorted(times))
        return (
            f"has no other times than {listed}",
            f"are these the polarities? The columns are {order}",
        )
    last_ms = max(times) / events.times_per_ms
    is_early = len(events.times) >= _MIN_EVENTS and 0 < last_ms * _MIN_UNIT_RATIO <= duration_ms
    if is_early and any(time % 1 for time in times):
        return (
            f"has its last event at {last_ms:.3g} ms, in a sample of {duration_ms:g} ms",
            "are the times in seconds? .npy times are milliseconds",
        )
    plane = math.prod(shape[1:])
    has_channels = events.y is None and len(shape) == 3 and shape[0] == 2
    if has_channels and max(events.x) < plane and len(set(events.p)) > 1:
        return (
            f"has two polarities, which netdesc does not read without y: x is the index in "
            f"{list(shape)}",
            f"add {plane} to x where p is 1, or save the columns x, y, p, t",
        )
    return None
