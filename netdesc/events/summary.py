"""Computes the statistics of a recording that ``netdesc events show`` prints."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netdesc.events.columns import EventColumns


@dataclass(frozen=True)
class Summary:
    """Statistics of a recording. A place is a neuron, or a pixel if the events have ``y``.

    In an empty recording, values that need events are None.
    """

    events: int
    first_ms: float | None
    last_ms: float | None
    before_zero: int
    """The number of events with a negative time."""
    x: tuple[int, int] | None
    """The smallest and the largest ``x``."""
    y: tuple[int, int] | None
    polarity: dict[int, int]
    """Polarity -> number of events."""
    active: int
    """The number of places with an event."""
    places: int
    """The number of places from 0 to the largest neuron, or to the largest x and y."""
    rate_hz: float | None
    """Events per second and place, from time 0 to the last event."""
    busiest: tuple[int, ...] | None
    """The place with the most events."""
    busiest_hz: float | None
    """Events per second at ``busiest``, from time 0 to the last event."""


def summarize(event: EventColumns) -> Summary:
    """Computes the statistics of a recording."""
    place = [event.x] if event.y is None else [event.x, event.y]
    times_us = event.microseconds()
    distinct, count = np.unique(np.stack(place), axis=1, return_counts=True)
    polarities, polarity_counts = np.unique(event.p, return_counts=True)
    has_events = len(event) > 0
    last_s = int(times_us.max()) / 1e6 if has_events else 0.0
    places = math.prod(max(0, int(column.max()) + 1) for column in place) if has_events else 0
    busiest = int(count.argmax()) if has_events else 0
    return Summary(
        events=len(event),
        first_ms=int(times_us.min()) / 1000 if has_events else None,
        last_ms=int(times_us.max()) / 1000 if has_events else None,
        before_zero=int((times_us < 0).sum()),
        x=_span(event.x),
        y=None if event.y is None else _span(event.y),
        polarity=dict(zip(polarities.tolist(), polarity_counts.tolist(), strict=True)),
        active=len(count),
        places=places,
        rate_hz=len(event) / last_s / places if last_s > 0 and places else None,
        busiest=tuple(distinct[:, busiest].tolist()) if has_events else None,
        busiest_hz=int(count[busiest]) / last_s if last_s > 0 else None,
    )


def _span(values: NDArray) -> tuple[int, int] | None:
    return (int(values.min()), int(values.max())) if len(values) else None
