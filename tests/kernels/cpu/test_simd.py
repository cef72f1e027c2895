"""SIMD vectors: each lane equals numpy, and loads and stores stay within their elements."""

import numba
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from netdesc.kernels.cpu.runtime.simd import (
    LANES,
    as_ints,
    bits_of,
    broadcast,
    cast_like,
    nearest,
    where,
    zeros_like,
)
from netdesc.kernels.cpu.runtime.simd_memory import load, store

INTS = st.lists(st.integers(-(2**31), 2**31 - 1), min_size=LANES, max_size=LANES)
FLOATS = st.lists(st.floats(width=32), min_size=LANES, max_size=LANES)
COUNTS = st.integers(0, LANES)


@numba.njit
def _copy(source, start, target, at, count):
    store(target, at, load(source, start, count), count)


@numba.njit
def _on_ints(a, b, results):
    x, y = load(a, 0, LANES), load(b, 0, LANES)
    shift = y & broadcast(np.int32(31))
    store(results[0], 0, x + y, LANES)
    store(results[1], 0, x - y, LANES)
    store(results[2], 0, x * y, LANES)
    store(results[3], 0, (x & y) | broadcast(np.int32(8)), LANES)
    store(results[4], 0, x << shift, LANES)
    store(results[5], 0, x >> shift, LANES)
    store(results[6], 0, where(x > y, x, y), LANES)
    store(results[7], 0, where((x < y) | (x == y), zeros_like(x), y), LANES)
    store(results[8], 0, as_ints((x >= y) & (x != y)) + as_ints(x <= y), LANES)


@numba.njit
def _on_floats(a, b, results, bits):
    x, y = load(a, 0, LANES), load(b, 0, LANES)
    store(results[0], 0, x + y, LANES)
    store(results[1], 0, x - y, LANES)
    store(results[2], 0, x * y, LANES)
    store(results[3], 0, where(x > y, x, y), LANES)
    wide = cast_like(x, broadcast(np.float64(0)))
    store(results[4], 0, cast_like(wide * broadcast(np.float64(0.1)), x), LANES)
    store(results[5], 0, nearest(x), LANES)
    store(bits, 0, bits_of(x), LANES)


@given(
    st.sampled_from([np.float32, np.int32, np.int16, np.float64]), COUNTS, st.integers(0, 9),
    st.integers(0, 9),
)  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_partial_loads_and_stores_stay_within_their_elements(dtype, count, start, at):
    source = np.arange(1, start + count + 1).astype(dtype)  # ends with the last lane
    target = np.full(at + count + 40, -7, dtype)
    expected = target.copy()
    expected[at : at + count] = source[start:]
    _copy(source, start, target, at, count)
    np.testing.assert_array_equal(target, expected)


@given(INTS, INTS)
@settings(deadline=None)
def test_integers_wrap_as_in_numpy(a, b):
    x, y = np.array(a, np.int32), np.array(b, np.int32)
    results = np.empty((9, LANES), np.int32)
    _on_ints(x, y, results)
    shift = y & 31
    expected = [
        x + y, x - y, x * y, (x & y) | 8, x << shift, x >> shift, np.maximum(x, y),
        np.where(x <= y, 0, y), np.ones_like(x),
    ]  # fmt: skip
    np.testing.assert_array_equal(results, expected)


@given(FLOATS, FLOATS)
@settings(deadline=None)
def test_floats_round_as_in_numpy(a, b):
    x, y = np.array(a, np.float32), np.array(b, np.float32)
    results, bits = np.empty((6, LANES), np.float32), np.empty(LANES, np.int32)
    _on_floats(x, y, results, bits)
    with np.errstate(all="ignore"):
        expected = [x + y, x - y, x * y, np.where(x > y, x, y)]
        expected.append((x.astype(np.float64) * 0.1).astype(np.float32))
        expected.append(np.rint(x))
    np.testing.assert_array_equal(results, expected)
    np.testing.assert_array_equal(bits, x.view(np.int32))
