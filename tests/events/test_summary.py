"""Statistics of a recording equal a count by hand."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.event_samples import events_of

from netdesc.events import Event
from netdesc.events.summary import summarize

ROWS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 1), st.integers(-3000, 9000)),
    max_size=40,
)


@settings(max_examples=120)
@given(rows=ROWS, with_y=st.booleans())
def test_every_number_equals_a_count_by_hand(rows, with_y):
    found = summarize(events_of(rows, with_y))
    places = [(x, y) if with_y else (x,) for x, y, _, _ in rows]
    times = [us for _, _, _, us in rows]
    counted = Counter(places)
    assert found.events == len(rows)
    assert found.active == len(counted)
    assert found.before_zero == sum(us < 0 for us in times)
    assert found.polarity == Counter(p for _, _, p, _ in rows)
    if not rows:
        assert (found.first_ms, found.last_ms, found.x, found.busiest) == (None,) * 4
        return
    assert (found.first_ms, found.last_ms) == (min(times) / 1000, max(times) / 1000)
    assert found.x == (min(row[0] for row in rows), max(row[0] for row in rows))
    assert found.y == ((min(r[1] for r in rows), max(r[1] for r in rows)) if with_y else None)
    assert found.places == (found.x[1] + 1) * ((found.y[1] + 1) if found.y else 1)
    assert counted[found.busiest] == max(counted.values())
    if max(times) > 0:
        seconds = max(times) / 1e6
        assert found.rate_hz == pytest.approx(len(rows) / seconds / found.places)
        assert found.busiest_hz == pytest.approx(max(counted.values()) / seconds)
    else:
        assert (found.rate_hz, found.busiest_hz) == (None, None)


def test_large_numbers_do_not_overflow():
    large = np.array([2**31 - 1, -(2**31)], dtype=np.int32)
    found = summarize(Event(large, large, large, np.array([4e9, -4e9])))
    assert found.places == 2**62
    assert found.active == 2
    assert found.before_zero == 1
