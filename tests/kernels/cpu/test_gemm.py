"""The GEMM of the CPU engine: exact for integers, and equal on any number of threads."""

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from support.thread_counts import check_thread_counts

from netdesc.kernels.cpu import gemm
from netdesc.kernels.cpu.runtime import threads
from netdesc.kernels.cpu.runtime.threads import on_threads

matmul = on_threads(gemm.matmul)

threads.on_threads(lambda: None)()  # deletes cached kernels of older sources

# The tile has 6 rows and 16 or 32 columns, a block of terms 256, a thread 192 rows and 512 columns.
SIZES = st.one_of(
    st.integers(1, 40), st.sampled_from([191, 192, 193, 255, 256, 257, 511, 512, 513])
)


def integers(seed: int, *shape: int) -> np.ndarray:
    """Small integers as floats: their sums are exact, whatever the order."""
    return np.random.default_rng(seed).integers(-8, 9, shape).astype(np.float32)


@given(SIZES, SIZES, SIZES, st.booleans(), st.booleans(), st.integers(0, 99))
@example(255, 257, 40, True, False, 0)  # a whole panel of a transposed factor
@example(255, 258, 40, True, False, 0)
@example(256, 255, 40, True, False, 0)
@example(7, 500, 33, True, False, 0)
def test_products_of_integers_are_exact(rows, terms, columns, turn_left, turn_right, seed):
    left = integers(seed, terms, rows).T if turn_left else integers(seed, rows, terms)
    shape = (columns, terms) if turn_right else (terms, columns)
    right = integers(seed + 1, *shape)
    right = right.T if turn_right else right
    expected = left.astype(np.int64) @ right.astype(np.int64)
    np.testing.assert_array_equal(matmul(left, right), expected.astype(np.float32))


def test_rounding_errors_are_small():
    random = np.random.default_rng(0)
    left = random.standard_normal((50, 3000), np.float32)
    right = random.standard_normal((3000, 70), np.float32)
    exact = left.astype(np.float64) @ right
    assert np.abs(matmul(left, right) - exact).max() < 2e-6 * np.abs(exact).max()


@pytest.mark.parametrize("shape", [(700, 300, 90), (5, 900, 1100), (1, 1, 1)])
def test_results_do_not_depend_on_the_number_of_threads(shape):
    rows, terms, columns = shape
    random = np.random.default_rng(1)
    left = random.standard_normal((rows, terms), np.float32)
    right = random.standard_normal((terms, columns), np.float32)
    check_thread_counts(lambda: [torch.from_numpy(matmul(left, right))])


def test_infinities_and_nan_propagate():
    left = np.ones((7, 300), np.float32)
    right = np.ones((300, 40), np.float32)
    right[299, 3], right[0, 4] = np.inf, np.nan
    out = matmul(left, right)
    assert np.isposinf(out[:, 3]).all()
    assert np.isnan(out[:, 4]).all()
    assert (np.delete(out, [3, 4], axis=1) == 300).all()
