"""Spike events for the tests of events."""

from typing import Any

import numpy as np

from netdesc.events import Event


def events_at(times_ms: Any, x: Any = None, y: Any = None, p: Any = None) -> Event:
    """An event at each time; x and p are 0 by default."""
    t = np.asarray(times_ms, dtype=np.float64)
    x, p = (
        np.zeros(len(t), np.int32) if column is None else np.asarray(column, dtype=np.int32)
        for column in (x, p)
    )
    return Event(x, None if y is None else np.asarray(y, dtype=np.int32), p, t)


def events_of(rows: Any, with_y: bool = False) -> Event:
    """From rows of x, y, p and whole microseconds."""
    x, y, p, times_us = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    return Event(x, y if with_y else None, p, times_us / 1000.0)
