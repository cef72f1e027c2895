"""A recording in a few numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netdesc.events.binning import Rounding, step_numbers
from netdesc.events.container import Event


@dataclass(frozen=True)
class Summary:
    """What ``netdesc events show`` says of a recording. Without events, most of it is None.

    A place is a neuron, or a pixel where the events have ``y``: ``places`` counts those from 0 to
    the largest number, ``active`` those with an event. ``rate_hz`` is the events a second of each
    place, from time 0 to the last event, and ``busiest_hz`` that of ``busiest``, the place with
    most. ``same_instant`` counts the events beyond the first of one place, polarity and
    microsecond; ``same_bin`` those beyond the first of a cell, which binning by ``or`` loses.
    """

    events: int
    first_ms: float | None
    last_ms: float | None
    before_zero: int
    x: tuple[int, int] | None
    y: tuple[int, int] | None
    polarity: dict[int, int]
    active: int
    places: int
    rate_hz: float | None
    busiest: tuple[int, ...] | None
    busiest_hz: float | None
    same_instant: int
    same_bin: int
    step_ms: float


def summarize(event: Event, step_ms: float = 1.0, rounding: Rounding = "nearest") -> Summary:
    """Counts what is in a recording. ValueError where ``step_ms`` is no step."""
    place = [event.x] if event.y is None else [event.x, event.y]
    cell = [event.x] if event.y is None else [event.x, event.y, event.p]
    microseconds, step = event.microseconds(), step_numbers(event, step_ms, rounding)
    first, count = _distinct_rows(place)
    polarities, of_each = np.unique(event.p, return_counts=True)
    any_events = len(event) > 0
    last_s = int(microseconds.max()) / 1e6 if any_events else 0.0
    places = math.prod(max(0, int(column.max()) + 1) for column in place) if any_events else 0
    most = int(count.argmax()) if any_events else 0
    return Summary(
        events=len(event),
        first_ms=int(microseconds.min()) / 1000 if any_events else None,
        last_ms=int(microseconds.max()) / 1000 if any_events else None,
        before_zero=int((microseconds < 0).sum()),
        x=_span(event.x),
        y=None if event.y is None else _span(event.y),
        polarity=dict(zip(polarities.tolist(), of_each.tolist(), strict=True)),
        active=len(count),
        places=places,
        rate_hz=len(event) / last_s / places if last_s > 0 and places else None,
        busiest=tuple(int(column[first[most]]) for column in place) if any_events else None,
        busiest_hz=int(count[most]) / last_s if last_s > 0 else None,
        same_instant=len(event) - len(_distinct_rows([event.p, microseconds, *place])[0]),
        same_bin=len(event) - len(_distinct_rows([step, *cell])[0]),
        step_ms=step_ms,
    )


def _span(values: NDArray) -> tuple[int, int] | None:
    return (int(values.min()), int(values.max())) if len(values) else None


def _distinct_rows(columns: list[NDArray]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The index of the first of equal rows, and their number, for each kind; rows are sorted."""
    order = np.lexsort(columns[::-1])
    differs = np.zeros(max(0, len(order) - 1), bool)
    for column in columns:
        ordered = column[order]
        differs |= ordered[1:] != ordered[:-1]
    start = np.flatnonzero(np.append(True, differs)[: len(order)])
    return order[start], np.diff(np.append(start, len(order)))
