"""Terms of a product that are passed over: the sums keep every bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from netdesc.kernels.cpu import gaps, product, threads
from netdesc.kernels.cpu.factors import DEPTH, TILE_ROWS
from netdesc.kernels.cpu.product import matmul

threads.on_threads(lambda: None)()  # forgets kernels of older sources

SIZES = st.one_of(st.integers(1, 40), st.sampled_from([95, 96, 97, 255, 256, 257, 513]))


def gappy(rows: int, terms: int, share: float, length: int, seed: int) -> np.ndarray:
    """Numbers that come in stretches of ``length`` rows, in a ``share`` of all stretches."""
    random = np.random.default_rng(seed)
    numbers = random.standard_normal((rows, terms), np.float32)
    some = random.random((-(-rows // length), terms)) < share
    return np.where(np.repeat(some, length, axis=0)[:rows], numbers, np.float32(0))


@given(
    SIZES, SIZES, SIZES, st.sampled_from([0.0, 0.1, 0.5, 0.9, 0.97, 1.0]), st.integers(1, 30),
    st.booleans(), st.integers(1, 3), st.integers(0, 999),
)  # fmt: skip
@example(513, 600, 70, 0.5, 10, True, 2, 0)
def test_the_product_is_the_same(rows, terms, columns, share, length, onto, number, seed):
    left = gappy(rows, terms, share, length, seed)
    right = np.random.default_rng(seed).standard_normal((terms, columns), np.float32)
    before = np.full((rows, columns), 3, np.float32) if onto else None
    before_threads = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        found, wanted = (
            matmul(left, right, None if before is None else before.copy(), onto, has_gaps=has_gaps)
            for has_gaps in (True, False)
        )
    finally:
        torch.set_num_threads(before_threads)
    np.testing.assert_array_equal(found, wanted)


@given(st.integers(1, 5), st.integers(1, DEPTH), st.floats(0, 1), st.integers(0, 99))
@example(2, DEPTH, 1.0, 0)
@example(2, DEPTH, 0.0, 0)
def test_lists_are_of_what_is_not_0_in_a_tile(tiles, terms, share, seed):
    left = gappy(tiles * TILE_ROWS, terms, share, 1, seed)
    left[np.random.default_rng(seed).random(left.shape) < 0.7] = 0
    counts, listed = np.empty(tiles, np.int64), np.empty(tiles * DEPTH, np.uint8)
    gaps.list_terms(left.reshape(-1), 0, terms, terms, counts, listed)
    for tile, of_tile in enumerate(left.reshape(tiles, TILE_ROWS, terms)):
        wanted = np.flatnonzero(of_tile.any(axis=0))
        if counts[tile] == gaps.ALL:
            assert max(1, len(wanted)) > 0.9 * terms
            continue
        assert len(wanted) <= 0.9 * terms
        found = listed[tile * DEPTH :][: counts[tile]]
        np.testing.assert_array_equal(found, wanted if len(wanted) else [0])


def test_what_is_no_number_is_not_passed_over():
    left = np.zeros((TILE_ROWS, 40), np.float32)
    left[2, 7] = np.nan
    assert np.isnan(matmul(left, np.ones((40, 16), np.float32), has_gaps=True)[2]).all()


@pytest.mark.parametrize("block", [(6, 32), (12, 96), (192, 608)])
def test_how_blocks_are_shared_out_changes_no_bit(block):
    left = gappy(101, 513, 0.4, 9, 0)
    right = np.random.default_rng(2).standard_normal((513, 600), np.float32)
    out = np.full((101, 600), np.nan, np.float32)
    product._multiply(left, right, False, np.float32(0), np.float32(0), block, False, out, True)
    np.testing.assert_array_equal(out, matmul(left, right))
