"""Computes the statistics of a recording that ``netdesc events show`` prints."""

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netdesc.events.columns import EventChunks

Rows = NDArray[np.signedinteger]
Counts = NDArray[np.int64]


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


def summarize(event: EventChunks) -> Summary:
    """Computes the statistics of a recording."""
    tallies: list[tuple[Rows, Counts]] = []
    polarity: Counter[int] = Counter()
    first_us, last_us, before_zero, has_y = math.inf, -math.inf, 0, False
    for chunk in event.chunks():
        columns, times_us = [chunk.x, *([] if chunk.y is None else [chunk.y])], chunk.microseconds()
        has_y, ones = chunk.y is not None, np.ones(len(chunk), np.int64)
        tallies.append(_count_rows(np.stack(columns), ones))
        (polarities,), counts = _count_rows(chunk.p[None], ones)
        polarity.update(dict(zip(polarities.tolist(), counts.tolist(), strict=True)))
        first_us, last_us = min(first_us, int(times_us.min())), max(last_us, int(times_us.max()))
        before_zero += int((times_us < 0).sum())
    if not tallies:
        return Summary(0, None, None, 0, None, None, {}, 0, 0, None, None, None)
    rows, counts = zip(*tallies, strict=True)
    distinct, count = _count_rows(np.concatenate(rows, axis=1), np.concatenate(counts))
    events, last_s, busiest = int(count.sum()), last_us / 1e6, int(count.argmax())
    spans = [(int(column.min()), int(column.max())) for column in distinct]
    number = math.prod(max(0, last + 1) for _, last in spans)
    return Summary(
        events=events,
        first_ms=first_us / 1000,
        last_ms=last_us / 1000,
        before_zero=before_zero,
        x=spans[0],
        y=spans[1] if has_y else None,
        polarity=dict(sorted(polarity.items())),
        active=len(count),
        places=number,
        rate_hz=events / last_s / number if last_s > 0 and number else None,
        busiest=tuple(distinct[:, busiest].tolist()),
        busiest_hz=int(count[busiest]) / last_s if last_s > 0 else None,
    )


def _count_rows(rows: Rows, counts: Counts) -> tuple[Rows, Counts]:
    """Returns the distinct columns of ``rows`` in their order, and the sum of each one's counts."""
    order = np.lexsort(rows[::-1])
    rows = rows[:, order]
    is_first = np.append(True, (rows[:, 1:] != rows[:, :-1]).any(axis=0))
    starts = np.flatnonzero(is_first)
    return rows[:, starts], np.add.reduceat(counts[order], starts)
