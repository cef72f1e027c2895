"""Spikes and counts as words: what goes in comes out, and is read as floats are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from netdesc.kernels.cpu.arrivals import Events
from netdesc.kernels.cpu.spike_rows import SpikeRows
from netdesc.kernels.cpu.trains import SpikeTrains

from netdesc.kernels.cpu import bit_rows, sources, summands
from netdesc.kernels.cpu.events import EventLists
from netdesc.kernels.spike_words import SpikeWords, WordRoom, packed

SIZES = st.tuples(st.integers(1, 9), st.integers(1, 3), st.integers(1, 200))
MOST = st.sampled_from([1, 1, 2, 3, 63, 300])
DENSITIES = st.sampled_from([0.0, 0.02, 0.3, 0.34, 0.6, 1.0])


def spikes(shape: tuple[int, ...], density: float, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).random(shape) < density).astype(np.float32)


def counts(shape: tuple[int, ...], density: float, most: int, seed: int) -> np.ndarray:
    """Whole numbers from 0 to ``most``; if that is large, one of them is, and no other above 1."""
    values = spikes(shape, density, seed)
    if most < 64:
        random = np.random.default_rng(seed)
        return values * random.integers(1, most + 1, shape).astype(np.float32)
    values.flat[np.argmax(values)] *= most
    return values


def words_of(values: np.ndarray) -> SpikeWords:
    values = values.astype(np.int64)
    room = WordRoom(values.shape, digits_of(values))
    as_bytes = packed(values.reshape(*values.shape[:2], -1) & 1)
    room.bytes_TBK[..., : as_bytes.shape[2]] = as_bytes
    for digit in range(1, digits_of(values)):
        step, sample, column = np.nonzero(values.reshape(*values.shape[:2], -1) >> digit & 1)
        room.add(step, sample, column, digit)
    return room.words()


def digits_of(values: np.ndarray) -> int:
    return max(1, int(values.max()).bit_length())


@given(SIZES, DENSITIES, MOST, st.integers(0, 99))
def test_spikes_come_out_as_they_went_in(shape, density, most, seed):
    values = counts(shape, density, most, seed)
    by_place = WordRoom(shape, digits_of(values))
    for number in range(shape[1]):  # in several calls, as from files
        for digit in range(digits_of(values)):
            step, column = np.nonzero(values[:, number].astype(np.int64) >> digit & 1)
            by_place.add(step, number, column.astype(np.int32), digit)
    by_kernel = bit_rows.words_of(values)
    assert by_kernel is not None
    np.testing.assert_array_equal(by_kernel.words, words_of(values).words)
    for made in by_kernel, by_place.words():
        assert made.words.dtype == np.int64
        assert (made.rows, made.columns) == (shape[0] * shape[1], shape[2])
        dense = made.dense()
        assert dense.dtype == np.float32
        np.testing.assert_array_equal(dense, values)
        for sample in range(shape[1]):
            runs = np.concatenate(list(made.runs_of_sample(sample)))
            np.testing.assert_array_equal(runs != 0, values[:, sample] != 0)
        # What is beyond the last column is 0, or a walk would read weights that are not there.
        spikes_of_digits = [
            sum(int(word).bit_count() for word in words.view(np.uint64)) << digit
            for digit, words in enumerate(made.words)
        ]
        assert sum(spikes_of_digits) == values.sum()


def test_inputs_may_have_several_axes():
    values = spikes((4, 2, 3, 5, 7), 0.3)
    made = words_of(values)
    assert (made.shape, made.columns) == (values.shape, 105)
    np.testing.assert_array_equal(made.dense(), values)


@given(SIZES, DENSITIES, MOST, st.sampled_from([0.0, 1e9]), st.integers(0, 99))
@example((9, 3, 200), 0.02, 63, 0.0, 0)
@example((9, 3, 200), 0.02, 300, 0.0, 0)
def test_an_engine_reads_of_words_what_it_reads_of_floats(shape, density, most, room, seed):
    values = counts(shape, density, most, seed)
    found = sources.source_of_words(words_of(values), room)
    expected = sources.source_of(torch.from_numpy(values), room)
    assert isinstance(found, Events) == isinstance(expected, Events)
    pays = values.sum() <= 0.4 * values.size and values.max() < 64
    assert isinstance(found, Events) == pays
    if isinstance(found, Events) and isinstance(expected, Events):
        # Floats may be more events than they have cells, and are lists where these are smaller.
        if most > 1 and room == 0.0 and found.listed != expected.listed:
            found, expected = (listed(each, shape[2]) for each in (found, expected))
        assert found[:4] == expected[:4]
        np.testing.assert_array_equal(found.words, expected.words)
        np.testing.assert_array_equal(found.starts, expected.starts)
        events = int(values.sum()) if found.listed else 0
        np.testing.assert_array_equal(found.sources[:events], expected.sources[:events])
        return
    assert isinstance(found, SpikeRows)
    np.testing.assert_array_equal(found.floats(), values.reshape(-1, shape[2]))


@given(SIZES, DENSITIES, MOST)
def test_words_become_trains_and_counts(shape, density, most):
    values = counts(shape, density, most, 0)
    made = words_of(values)
    whole = values.astype(np.int64)
    expected = [
        SpikeTrains.of((whole >> digit & 1).astype(np.float32)) for digit in range(digits_of(whole))
    ]
    summand = summands.summand_of(made)
    assert isinstance(summand, summands.Counted)
    assert summand.trains.shape == shape
    for words, trains in zip(summand.trains.digits, expected, strict=True):
        assert trains is not None
        np.testing.assert_array_equal(words, trains.words)
    assert summand.spikes == values.sum()
    rows = values.reshape(-1, shape[2])
    np.testing.assert_array_equal(bit_rows.counts_of(made), rows.sum(axis=1))


def sources_of(row: np.ndarray) -> np.ndarray:
    """In their order: of the second digit each comes twice, and so on."""
    whole = row.astype(np.int64)
    digits = range(max(1, int(whole.max()).bit_length()))
    return np.concatenate([np.repeat(np.flatnonzero(whole >> n & 1), 1 << n) for n in digits])


def listed(events: Events, columns: int) -> Events:
    """The same events as lists."""
    if events.listed:
        return events
    shape = events.steps, events.batch, columns
    words = SpikeWords(shape, np.atleast_2d(events.words))
    return EventLists.of_words(words, bit_rows.counts_of(words)).events(events.batch)


@pytest.mark.parametrize("most", [1, 5])
@pytest.mark.parametrize("columns", [1, 63, 64, 65, 1 << 16, (1 << 16) + 1])
def test_long_rows_are_listed_piece_by_piece(columns, most, monkeypatch):
    monkeypatch.setattr("netdesc.kernels.cpu.events._WORDS", 40)
    values = counts((30, 2, columns), 0.01, most, 0)
    made = words_of(values)
    lists = EventLists.of_words(made, bit_rows.counts_of(made))
    assert lists.pays
    rows = values.reshape(60, columns)
    of_rows = [sources_of(row) for row in rows]
    row = np.repeat(np.arange(60), [len(each) for each in of_rows])
    column = np.concatenate(of_rows)
    np.testing.assert_array_equal(lists.sources[: len(column)], column)
    np.testing.assert_array_equal(lists.starts, np.searchsorted(row, np.arange(61)))
