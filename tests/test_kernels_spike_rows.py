"""Spikes as a factor of the product: the bits of the product of the same floats."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_kernels_spike_words import words_of

from netdesc.kernels.cpu import bit_rows, product, threads
from netdesc.kernels.cpu.spike_rows import SpikeRows
from netdesc.kernels.cpu.trains import SpikeTrains, rows_of_sum

threads.on_threads(lambda: None)()  # forgets kernels of older sources

SHAPES = st.one_of(
    st.tuples(st.integers(1, 70), st.integers(1, 4), st.integers(1, 100)),
    st.tuples(st.sampled_from([1, 255, 256, 257]), st.just(2), st.sampled_from([31, 32, 33, 600])),
)
DENSITIES = st.sampled_from([0.0, 0.1, 0.5, 1.0])


def spikes(shape: tuple[int, int, int], density: float, seed: int) -> np.ndarray:
    return (np.random.default_rng(seed).random(shape) < density).astype(np.float32)


def trains_of(values: np.ndarray) -> SpikeTrains:
    trains = SpikeTrains.of(values)
    assert trains is not None
    return trains


def every_form(
    shape: tuple[int, int, int], density: float, seed: int
) -> list[tuple[SpikeRows, np.ndarray]]:
    """Rows of spikes as the input has them, as a layer hands them out, and as a sum of three.

    And of counts as the input has them.
    """
    values = [spikes(shape, density, seed + number) for number in range(3)]
    trains = [trains_of(each) for each in values]
    most = 1 << np.random.default_rng(seed).integers(1, 17)
    counts = values[0] * np.random.default_rng(seed).integers(0, most, shape).astype(np.float32)
    return [
        (bit_rows.dense_rows(words_of(counts)), counts.reshape(-1, shape[2])),
        (bit_rows.dense_rows(words_of(values[0])), values[0].reshape(-1, shape[2])),
        (rows_of_sum(trains[:1]), values[0].reshape(-1, shape[2])),
        (rows_of_sum(trains), sum(values).reshape(-1, shape[2])),
    ]


@given(SHAPES, DENSITIES, st.integers(0, 99))
def test_rows_and_parts_of_them_are_the_floats(shape, density, seed):
    for made, expected in every_form(shape, density, seed):
        np.testing.assert_array_equal(made.floats(), expected)
        for first, last in (len(expected) // 3, len(expected) // 2), (len(expected) // 2, None):
            end = len(expected) if last is None else last
            part = made.part(first, end)
            np.testing.assert_array_equal(part.floats(), expected[first:last])
            inner = part.part(part.rows // 2, part.rows)
            np.testing.assert_array_equal(inner.floats(), expected[first:last][part.rows // 2 :])


@given(SHAPES, DENSITIES, st.sampled_from([1.0, -1.0]), st.integers(0, 99))
def test_rows_are_added_to_floats_where_these_are(shape, density, times, seed):
    for made, floats in every_form(shape, density, seed):
        first = len(floats) // 3
        part, before = made.part(first, made.rows), floats[first:]
        rows = np.random.default_rng(seed).standard_normal(before.shape, np.float32)
        expected = rows + np.float32(times) * before
        part.add_to(rows, times)
        np.testing.assert_array_equal(rows, expected)


@given(SHAPES, DENSITIES, st.integers(1, 90), st.integers(1, 3), st.booleans(), st.integers(0, 99))
def test_products_are_those_of_the_floats(shape, density, size, threads, onto, seed):
    """Of rounded sums, too; on the right as for gradients, on the left as for currents."""
    random = np.random.default_rng(seed)
    torch.set_num_threads(threads)
    for made, floats in every_form(shape, density, seed):
        first = len(floats) // 4
        made, floats = made.part(first, made.rows), floats[first:]
        grad = random.standard_normal((len(floats), size), np.float32)
        weight_OI = random.standard_normal((size, shape[2]), np.float32)
        weight_OI[0, 0] = np.inf
        before = random.standard_normal((size, shape[2]), np.float32)
        ours, theirs = before.copy(), before.copy()
        product.matmul(grad.T, made, ours, onto=onto)
        product.matmul(grad.T, floats, theirs, onto=onto)
        assert ours.tobytes() == theirs.tobytes()
        for bits in None, 5:
            ours = product.matmul(made, weight_OI.T, bits=bits)
            assert ours.tobytes() == product.matmul(floats, weight_OI.T, bits=bits).tobytes()


@pytest.fixture(autouse=True)
def torch_threads():
    number = torch.get_num_threads()
    yield
    torch.set_num_threads(number)
