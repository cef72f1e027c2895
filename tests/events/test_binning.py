"""Binning is exact at the boundaries of bins and can be undone without loss."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from support.event_samples import events_at

from netdesc.events import Event, from_dense, to_dense

STEPS_MS = st.sampled_from([1.0, 0.1, 0.5, 0.3, 0.7, 2.0, 0.001, 2.5, 1 / 3, 0.125, 3.3333, 100.0])


@settings(max_examples=300, deadline=None)
@given(
    time_us=st.integers(0, 20_000_000),
    step_ms=STEPS_MS,
    rounding=st.sampled_from(["nearest", "floor"]),
)
@example(500, 1.0, "nearest")
@example(1500, 1.0, "nearest")
@example(2501, 1.0, "nearest")
@example(300, 0.1, "floor")  # 0.3 // 0.1 is 2
@example(150, 0.1, "nearest")
@example(1000, 1 / 3, "floor")
def test_steps_equal_those_of_exact_arithmetic(time_us, step_ms, rounding):
    step_us = Fraction(step_ms).limit_denominator(10**6) * 1000
    quotient = Fraction(time_us) / step_us
    expected = round(quotient) if rounding == "nearest" else quotient // 1  # round: half to even
    steps = expected + 1
    if steps > 1_000_000:
        return
    dense, dropped = to_dense(events_at([time_us / 1000.0]), (1,), steps, step_ms, rounding)
    assert dropped == 0
    assert np.flatnonzero(dense).tolist() == [expected]


@settings(max_examples=150, deadline=None)
@given(
    spikes=hnp.arrays(
        np.bool_, st.one_of(st.tuples(*[st.integers(1, 6)] * n) for n in (2, 3, 4, 5))
    ),
    step_ms=STEPS_MS.filter(lambda step: step >= 0.002),
    rounding=st.sampled_from(["nearest", "floor"]),
    duplicates=st.sampled_from(["or", "sum"]),
)
def test_dense_to_events_and_back(spikes, step_ms, rounding, duplicates):
    event = from_dense(spikes, step_ms)
    dense, dropped = to_dense(event, spikes.shape[1:], len(spikes), step_ms, rounding, duplicates)
    assert dropped == 0
    assert dense.dtype == np.float32
    np.testing.assert_array_equal(dense, spikes)


def test_events_outside_are_dropped_and_counted():
    event = events_at([0.0, 9.0, 10.0, -1.0, 1e300, 3.0, 3.0], x=[0, 4, 0, 0, 0, 5, -1])
    dense, dropped = to_dense(event, (5,), 10, 1.0)
    assert dropped == 5
    assert np.argwhere(dense).tolist() == [[0, 0], [9, 4]]


@pytest.mark.parametrize(("x", "y", "p"), [(4, 0, 0), (0, 3, 0), (0, 0, 2), (-1, 0, 0), (0, -1, 0)])
def test_each_axis_has_its_own_border(x, y, p):
    dense, dropped = to_dense(events_at([0.0], [x], [y], [p]), (2, 3, 4), 1, 1.0)
    assert dropped == 1
    assert not dense.any()


@pytest.mark.parametrize(
    ("shape", "steps", "step_ms", "problem"),
    [
        ((8,), -1, 1.0, "from 0 to 1,000,000, not -1"),
        ((8,), 10**12, 1.0, "from 0 to 1,000,000"),
        ((8,), 1.5, 1.0, "a whole number"),
        ((8,), "3", 1.0, "a whole number"),
        ((10**9, 10**9), 10**6, 1.0, "more memory"),
        ((10**30,), 10**6, 1.0, "more memory"),
        ((-8,), 3, 1.0, "shape"),
        ((8.5,), 3, 1.0, "shape"),
        (8, 3, 1.0, "shape"),
        ((8,), 3, "a", "length of a step"),
        ((8,), 3, None, "length of a step"),
    ],
)
def test_sizes_that_no_array_has(shape, steps, step_ms, problem):
    with pytest.raises(ValueError, match=problem):
        events_at([0.0]).to_tensor(shape, steps, step_ms)


def test_payloads_arrive_as_multiples_of_1_64_and_the_last_one_or_their_sum_counts():
    event = Event(x=[1, 0, 1, 1], t=[3, 4, 3, 3.2], payload=[5, -900.5, 0.25, 0.015])
    last, _ = to_dense(event, (2,), 10, 1.0)
    assert (last[3, 1], last[4, 0]) == (1 / 64, -512)
    assert to_dense(event, (2,), 10, 1.0, duplicates="sum")[0][3, 1] == 5 + 1 / 4 + 1 / 64
    filled = event.fill(torch.zeros(10, 2, dtype=torch.float64), duplicates="sum")
    assert filled[3, 1] == 5 + 1 / 4 + 1 / 64
    with pytest.raises(ValueError, match="holds no payloads"):
        event.fill(torch.zeros(10, 2, dtype=torch.int64))
    for wrong in ([1.0, float("nan")], [1.0]):
        with pytest.raises(ValueError, match=r"payload|equally long"):
            Event(x=[0, 1], t=[0, 1], payload=wrong)


def test_places_in_a_shape_with_channels():
    with_y = events_at([0.0], x=[3], y=[2], p=[1])
    assert np.argwhere(to_dense(with_y, (2, 3, 4), 1, 1.0)[0]).tolist() == [[0, 1, 2, 3]]
    numbered = events_at([0.0], x=[23], p=[1])
    assert np.argwhere(to_dense(numbered, (2, 3, 4), 1, 1.0)[0]).tolist() == [[0, 1, 2, 3]]
    assert to_dense(events_at([0.0], x=[3], y=[0], p=[1]), (4,), 1, 1.0)[0][0, 3] == 1.0
    with pytest.raises(ValueError, match="channels, height, width"):
        to_dense(with_y, (4,), 1, 1.0)
    with pytest.raises(ValueError, match="channels, height, width"):
        to_dense(with_y, (3, 4), 1, 1.0)


@pytest.mark.parametrize("step_ms", [0.0, -1.0, float("nan"), float("inf"), 1e-12, 1e7])
def test_a_step_that_is_no_step_is_refused(step_ms):
    with pytest.raises(ValueError, match="step of"):
        to_dense(events_at([0.0]), (1,), 1, step_ms)
