"""Spikes as words: what goes in comes out, and is read as floats are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from netdesc.kernels.cpu import bit_rows, sources, summands
from netdesc.kernels.cpu.arrivals import Events
from netdesc.kernels.cpu.events import EventLists
from netdesc.kernels.cpu.spike_rows import SpikeRows
from netdesc.kernels.cpu.trains import SpikeTrains
from netdesc.kernels.spike_words import SpikeWords, WordRoom, packed

SIZES = st.tuples(st.integers(1, 9), st.integers(1, 3), st.integers(1, 200))
DENSITIES = st.sampled_from([0.0, 0.02, 0.3, 0.34, 0.6, 1.0])


def spikes(shape: tuple[int, ...], density: float, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).random(shape) < density).astype(np.float32)


def words_of(values: np.ndarray) -> SpikeWords:
    room, as_bytes = WordRoom(values.shape), packed(values.reshape(*values.shape[:2], -1))
    room.bytes_TBK[..., : as_bytes.shape[2]] = as_bytes
    return room.words()


@given(SIZES, DENSITIES, st.integers(0, 99))
def test_spikes_come_out_as_they_went_in(shape, density, seed):
    values = spikes(shape, density, seed)
    step, sample, column = np.nonzero(values)
    by_place = WordRoom(shape)
    for number in range(shape[1]):  # in several calls, as from files
        own = sample == number
        by_place.add(step[own], number, column[own].astype(np.int32))
    for made in words_of(values), by_place.words():
        assert made.words.dtype == np.int64
        assert (made.rows, made.columns) == (shape[0] * shape[1], shape[2])
        dense = made.dense()
        assert dense.dtype == np.float32
        np.testing.assert_array_equal(dense, values)
        # What is beyond the last column is 0, or a walk would read weights that are not there.
        assert sum(int(word).bit_count() for word in made.words.view(np.uint64)) == values.sum()


def test_inputs_may_have_several_axes():
    values = spikes((4, 2, 3, 5, 7), 0.3)
    made = words_of(values)
    assert (made.shape, made.columns) == (values.shape, 105)
    np.testing.assert_array_equal(made.dense(), values)


@given(SIZES, DENSITIES, st.sampled_from([0.0, 1e9]), st.integers(0, 99))
def test_an_engine_reads_of_words_what_it_reads_of_floats(shape, density, room, seed):
    values = spikes(shape, density, seed)
    found = sources.source_of_words(words_of(values), room)
    expected = sources.source_of(torch.from_numpy(values), room)
    assert isinstance(found, Events) == isinstance(expected, Events)
    if isinstance(found, Events) and isinstance(expected, Events):
        assert found[:4] == expected[:4]
        np.testing.assert_array_equal(found.words, expected.words)
        np.testing.assert_array_equal(found.starts, expected.starts)
        events = int(values.sum()) if found.listed else 0
        np.testing.assert_array_equal(found.sources[:events], expected.sources[:events])
        return
    assert isinstance(found, SpikeRows)
    np.testing.assert_array_equal(found.floats(), values.reshape(-1, shape[2]))


@given(SIZES, DENSITIES)
def test_words_become_trains_and_counts(shape, density):
    values = spikes(shape, density)
    made = words_of(values)
    expected = SpikeTrains.of(values)
    assert expected is not None
    summand = summands.summand_of(made)
    assert isinstance(summand, summands.Counted)
    assert summand.trains.shape == shape
    np.testing.assert_array_equal(summand.trains.words, expected.words)
    assert summand.spikes == values.sum()
    rows = values.reshape(-1, shape[2])
    np.testing.assert_array_equal(bit_rows.counts_of(made), rows.sum(axis=1))


@pytest.mark.parametrize("columns", [1, 63, 64, 65, 1 << 16, (1 << 16) + 1])
def test_long_rows_are_listed_piece_by_piece(columns, monkeypatch):
    monkeypatch.setattr("netdesc.kernels.cpu.events._WORDS", 40)
    values = spikes((30, 2, columns), 0.01)
    made = words_of(values)
    lists = EventLists.of_words(made, bit_rows.counts_of(made))
    assert lists.pays
    row, column = np.nonzero(values.reshape(60, columns))
    np.testing.assert_array_equal(lists.sources[: len(column)], column)
    np.testing.assert_array_equal(lists.starts, np.searchsorted(row, np.arange(61)))
