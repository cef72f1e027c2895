"""Sums over whole tensors: right in 64 bits, and the same for any number of threads."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from netdesc.kernels.cpu import sums
from netdesc.kernels.cpu.sums import squares_and_total


@given(st.integers(0, 70_000), st.integers(0, 70_000), st.integers(0, 2**32 - 1))
@example(0, 0, 0)
@example(16_384, 16_385, 0)
@example(0, 300_000, 0)
def test_both_are_those_of_numpy(squares: int, total: int, seed: int) -> None:
    draws = np.random.default_rng(seed)
    of_squares = draws.normal(size=squares).astype(np.float32)
    of_total = draws.normal(size=total).astype(np.float32)
    found = squares_and_total(of_squares, of_total)
    wanted = (of_squares.astype(np.float64) ** 2).sum(), of_total.sum(dtype=np.float64)
    assert found == pytest.approx(wanted, rel=1e-12, abs=1e-9)


@given(st.integers(0, 70_000), st.integers(0, 2**32 - 1))
def test_threads_change_nothing(size: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=size).astype(np.float32)
    found = [squares_and_total(values, values)]
    before, few = torch.get_num_threads(), sums._FEW
    try:
        sums._FEW = -1
        for threads in 1, 2:
            torch.set_num_threads(threads)
            found.append(squares_and_total(values, values))
    finally:
        torch.set_num_threads(before)
        sums._FEW = few
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_seen(bad: float) -> None:
    values = np.zeros(40_000, np.float32)
    values[-1] = bad
    squares, total = squares_and_total(values, values)
    assert squares == pytest.approx(bad * bad, nan_ok=True)
    assert total == pytest.approx(bad, nan_ok=True)


def test_large_numbers_have_squares() -> None:
    values = np.full(3, 3e38, np.float32)
    assert squares_and_total(values, values) == pytest.approx((2.7e77, 9e38), rel=1e-6)
