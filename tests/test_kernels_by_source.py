"""Events by their source: the same events as by rows, and the same sums, to the bit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from test_kernels_chain import PLAIN, Case, in_one_go, replace, torch_threads

from netdesc.kernels.cpu import bit_rows, by_source, descent, ending, leaky, synapses, walker
from netdesc.kernels.cpu.arrivals import Events
from netdesc.kernels.cpu.by_source import BY_ROWS
from netdesc.kernels.cpu.lanes import LANES
from netdesc.kernels.cpu.threads import on_threads
from netdesc.kernels.cpu.trains import SpikeSum

__all__ = ["torch_threads"]

USERS = descent, ending, leaky, synapses, walker

ALWAYS = 161
"""Neurons that are enough; how many events there are is another matter."""


@pytest.fixture
def by_all_means(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """Lets events be taken by source whatever that costs; says how often they were."""
    taken, ordered = list[bool](), by_source.by_source

    def noted(*given):
        found = ordered(*given)
        taken.append(found is not BY_ROWS)
        return found

    monkeypatch.setattr(by_source, "_VECTORS", 0)
    monkeypatch.setattr(by_source, "_pays", lambda *_: True)
    for module in USERS:
        monkeypatch.setattr(module, "by_source", noted)
    return taken


def spikes(
    steps: int, batch: int, inputs: int, density: float, seed: int, most: int = 1
) -> np.ndarray:
    random, shape = np.random.default_rng(seed), (steps * batch, inputs)
    return (random.random(shape) < density) * random.integers(1, most + 1, shape).astype(np.float32)


def events_of(rows: np.ndarray, batch: int, listed: bool) -> Events:
    words = bit_rows.words_of(rows.reshape(-1, batch, rows.shape[1]))
    assert words is not None
    if listed:
        return SpikeSum.of_words(words).events(int(rows.sum()))
    return bit_rows.events_of_words(words)


@on_threads
def ordered(events: Events, inputs: int, length: int) -> by_source.BySource:
    return by_source.by_source(events, inputs, ALWAYS, length)


@given(
    st.integers(1, 70), st.integers(1, 3), st.sampled_from([1, 7, 64, 65, 200]),
    st.sampled_from([0.3, 0.6, 1.0]), st.integers(1, 80), st.booleans(), st.integers(0, 99),
    st.sampled_from([1, 3]),
)  # fmt: skip
@example(70, 2, 7, 1.0, 70, True, 0, 1)
@example(70, 2, 7, 1.0, 71, False, 0, 3)
@example(1, 1, 1, 1.0, 1, True, 0, 1)
def test_every_event_is_at_its_source(steps, batch, inputs, density, length, listed, seed, most):
    rows = spikes(steps, batch, inputs, density, seed, most)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(by_source, "_pays", lambda *_: True)
        found = ordered(events_of(rows, batch, listed), inputs, length)
    assert found.length == length
    again, last = np.zeros((steps, batch, inputs), np.float32), steps
    for k in range(found.runs):
        first = max(0, last - length)
        for b in range(batch):
            for j in range(inputs):
                slot = (b * found.runs + k) * inputs + j
                mine = found.steps[found.starts[slot] : found.starts[slot + 1]].astype(int)
                assert (np.diff(mine) <= 0).all(), "the last ones come first"
                np.add.at(again, (first + mine, b, j), 1)
        last = first
    np.testing.assert_array_equal(again.reshape(rows.shape), rows)


CASES = st.builds(
    Case,
    sizes=st.lists(st.integers(1, 140), min_size=3, max_size=4).map(tuple),
    steps=st.integers(1, 600),
    batch=st.integers(1, 3),
    density=st.sampled_from([0.05, 0.2, 0.3]),
    scale=st.sampled_from([1.0, 4.0, 40.0]),
    bits=st.sampled_from([8, 8, None]),
    dropout=st.lists(st.booleans(), max_size=3).map(tuple),
    norm=st.lists(st.booleans(), max_size=3).map(tuple),
    delay=st.booleans(),
    own=st.booleans(),
    learn=st.booleans(),
    graded=st.sampled_from(["", "counts", "target"]),
    threads=st.integers(1, 3),
    seed=st.integers(0, 999),
)


@given(CASES)
@example(replace(PLAIN, sizes=(300, 130, 64, 40), steps=1100, scale=4.0))
@example(replace(PLAIN, sizes=(300, 130, 40), steps=90, batch=9, density=0.3))
@example(replace(PLAIN, sizes=(70, 130, 110), steps=700, batch=2, scale=40.0, graded="target"))
@example(replace(PLAIN, sizes=(300, 130, 110), steps=700, bits=None, scale=40.0))
@example(replace(PLAIN, sizes=(300, 130, 110), steps=700, norm=(True, True), learn=True, batch=2))
@example(replace(PLAIN, sizes=(900, 40, 33), steps=300, density=0.3))
@example(replace(PLAIN, sizes=(70, 130, 110), steps=256, scale=40.0, graded="target"))
@example(replace(PLAIN, sizes=(70, 130, 110), steps=257, scale=40.0, graded="target"))
def test_gradients_are_those_by_rows(case):
    with pytest.MonkeyPatch.context() as patch:
        for module in USERS:
            patch.setattr(module, "by_source", lambda *_: BY_ROWS)
        by_rows = in_one_go(case)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(by_source, "_VECTORS", 0)
        patch.setattr(by_source, "_pays", lambda *_: True)
        by_sources = in_one_go(case)
    for found, expected in zip(by_sources, by_rows, strict=True):
        np.testing.assert_array_equal(found.numpy(), expected.numpy())


def test_all_ways_back_take_events_by_source(by_all_means):
    in_one_go(replace(PLAIN, sizes=(70, 130, 33)))  # from above, and twice, as all that follows
    assert by_all_means == [True] * 4
    in_one_go(replace(PLAIN, sizes=(70, 130, 110), batch=2, graded="target", scale=9.0))
    assert by_all_means == [True] * 8


@pytest.mark.parametrize(
    ("neurons", "density", "steps", "pays"),
    [
        (161, 0.2, 2_048, True),
        (160, 0.2, 2_048, False),  # too few to share the work of putting events in order
        (161, 0.02, 2_048, False),  # a source would spike five times in a run
        (161, 0.2, 32, False),
        (161, 0.2, 100, False),  # a run of gradients would be as large as all there is
    ],
)
def test_events_are_taken_by_source_where_that_pays(neurons, density, steps, pays):
    events = events_of(spikes(steps, 1, 200, density, 0), 1, True)
    found = on_threads(by_source.by_source)(events, 200, neurons, 256)
    assert (found is not BY_ROWS) == pays


def test_so_many_events_that_32_bits_do_not_count_them_are_taken_by_rows(monkeypatch):
    def count(events, inputs, length, runs, starts):
        starts.fill((1 << 21) + 16)  # 2³² and 32,768 in all

    monkeypatch.setattr(by_source, "_count", count)
    monkeypatch.setattr(by_source, "_place", lambda *_: pytest.fail("there is no room for them"))
    events = events_of(spikes(64, 1, 2_048, 0.1, 0), 1, False)
    assert on_threads(by_source.by_source)(events, 2_048, 2_000, 64) is BY_ROWS


@pytest.mark.parametrize("listed", [True, False])
def test_a_wide_input_is_not_put_in_order_at_the_cost_of_memory(listed, monkeypatch):
    steps, inputs, neurons = 64, 2_000, 6 * LANES
    events = events_of(spikes(steps, 1, inputs, 0.3, 0), 1, listed)
    assert on_threads(by_source.by_source)(events, inputs, 2_000, 64) is not BY_ROWS
    monkeypatch.setattr(by_source, "take", lambda *_: pytest.fail("that is memory"))
    assert on_threads(by_source.by_source)(events, inputs, neurons, 64) is BY_ROWS
