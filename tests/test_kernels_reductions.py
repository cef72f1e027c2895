"""Sums over whole tensors: right in 64 bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from netdesc.kernels.cpu.reductions import squares_and_total


@given(st.integers(0, 70_000), st.integers(0, 70_000), st.integers(0, 2**32 - 1))
@example(0, 0, 0)
@example(0, 300_000, 0)
def test_both_are_those_of_numpy(squares: int, total: int, seed: int) -> None:
    draws = np.random.default_rng(seed)
    of_squares = draws.normal(size=squares).astype(np.float32)
    of_total = draws.normal(size=total).astype(np.float32)
    found = squares_and_total(of_squares, of_total)
    wanted = (of_squares.astype(np.float64) ** 2).sum(), of_total.sum(dtype=np.float64)
    assert found == pytest.approx(wanted, rel=1e-12, abs=1e-9)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38])
def test_what_is_not_finite_or_large_is_seen(bad: float) -> None:
    values = np.zeros(40_000, np.float32)
    values[-1] = bad
    squares, total = squares_and_total(values, values)
    assert squares == pytest.approx(bad * bad, nan_ok=True, rel=1e-6)
    assert total == pytest.approx(bad, nan_ok=True, rel=1e-6)
