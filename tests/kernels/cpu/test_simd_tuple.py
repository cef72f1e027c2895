"""Tuples of SIMD vectors: each vector is loaded, stored and compared by itself."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netdesc.kernels.cpu.runtime.simd import LANES
from netdesc.kernels.cpu.runtime.simd_memory import first_lanes, store
from netdesc.kernels.cpu.runtime.simd_tuple import (
    largest_magnitude,
    load_each,
    load_tuple,
    maximum_where,
    store_each,
    store_tuple,
    zero_tuple,
)

VECTORS = 3


@numba.njit
def _copy_tuple(source, target):
    store_tuple(target, 1, load_tuple(source, 2, VECTORS))


@numba.njit
def _copy_each(sources, targets, at, count):
    store_each(targets, at, load_each(sources, at, count), count)


@numba.njit
def _largest(a, b, count, extents, sizes):
    one, other = load_tuple(a, 0, VECTORS), load_tuple(b, 0, VECTORS)
    store_tuple(extents, 0, maximum_where(first_lanes(count), one, other))
    store(sizes, 0, largest_magnitude(one), LANES)
    store(sizes, LANES, largest_magnitude(zero_tuple(0)), LANES)


def test_vectors_follow_one_another() -> None:
    source = np.arange(5 * LANES, dtype=np.int32)
    target = np.full(5 * LANES, -1, np.int32)
    _copy_tuple(source, target)
    size = VECTORS * LANES
    assert target[1 : size + 1].tolist() == source[2 : size + 2].tolist()
    assert target[0] == -1
    assert (target[size + 1 :] == -1).all()


@pytest.mark.parametrize("count", [0, 1, LANES - 1, LANES])
def test_each_array_has_a_vector(count: int) -> None:
    sources = tuple(np.random.default_rng(at).random(70, np.float32) for at in range(2))
    targets = tuple(np.zeros(70, np.float32) for _ in sources)
    _copy_each(sources, targets, 3, count)
    for source, target in zip(sources, targets, strict=True):
        expected = np.zeros(70, np.float32)
        expected[3 : 3 + count] = source[3 : 3 + count]
        np.testing.assert_array_equal(target, expected)


@given(st.integers(0, 2**32 - 1), st.integers(0, LANES))
def test_largest_values(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.integers(-(2**31) + 1, 2**31, (2, VECTORS, LANES)).astype(np.int32)
    extents, sizes = np.empty_like(a), np.empty(2 * LANES, np.int32)
    _largest(a.reshape(-1), b.reshape(-1), count, extents.reshape(-1), sizes)
    expected = a.copy()
    expected[:, :count] = np.maximum(a, b)[:, :count]
    np.testing.assert_array_equal(extents, expected)
    np.testing.assert_array_equal(sizes, [*np.abs(a).max(0), *[0] * LANES])
