"""Rows of spikes as words of 64 bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netdesc.kernels.cpu import bit_rows

SIZES = st.tuples(st.integers(1, 9), st.integers(1, 3), st.integers(1, 200))


def spikes(shape: tuple[int, int, int], density: float, seed: int) -> np.ndarray:
    return (np.random.default_rng(seed).random(shape) < density).astype(np.float32)


def unpacked(words: np.ndarray, columns: int) -> np.ndarray:
    rows = words.reshape(-1, bit_rows.words_in(columns)).view(np.uint64)
    bits = rows[:, :, None] >> np.arange(64, dtype=np.uint64) & np.uint64(1)
    return bits.reshape(len(rows), -1).astype(np.float32)


@given(SIZES, st.sampled_from([0.0, 0.02, 0.3, 1.0]), st.integers(0, 99))
def test_words_are_the_bits_of_rows(shape, density, seed):
    """What is beyond the last column is 0, or a walk would read weights that are not there."""
    steps, batch, columns = shape
    values = spikes(shape, density, seed)
    rows = values.reshape(-1, columns)
    words = bit_rows.words_of(values)
    assert words is not None
    events = bit_rows.events_of_words(words)
    assert (events.listed, events.steps, events.batch) == (False, steps, batch)
    found = unpacked(events.words, columns)
    np.testing.assert_array_equal(found[:, :columns], rows)
    assert not found[:, columns:].any()


@pytest.mark.parametrize("most", [1, 65535])
@pytest.mark.parametrize(
    "odd", [0.5, 2.5, 65536.0, -1.0, -0.0, -2.0, np.nan, -np.nan, np.inf, 1e-45]
)
@pytest.mark.parametrize("place", [(0, 0, 0), (4, 0, 32), (6, 0, 70)])
def test_what_is_no_count_has_no_bit(odd, place, most):
    values = spikes((7, 1, 71), 0.3, 0)
    values[2] *= most
    assert bit_rows.words_of(values) is not None
    values[place] = odd
    assert bit_rows.words_of(values) is None
