"""Encodings of arrays as inputs, compared with their definitions; independent of batches."""

import hashlib
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from netdesc.data.encoding import build_code
from netdesc.data.randomness import sample_rngs
from netdesc.description.models import Arrays


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def build(chosen: dict, steps: int = 10, file_steps: int = 0, cells: int = 4, **more):
    data = Arrays.model_validate({"type": "arrays", "path": "a.npz", "encoding": chosen, **more})
    return build_code(data, steps, file_steps, cells)


@given(
    seed=st.integers(0, 2**32 - 1),
    samples=st.integers(1, 4),
    file_steps=st.integers(1, 9),
    cells=st.integers(1, 19),
    dtype=st.sampled_from([bool, np.uint8, np.int64, np.float32]),
)
def test_spikes_survive_compression(seed, samples, file_steps, cells, dtype):
    values = (generator(seed).random((samples, file_steps, cells)) < 0.3).astype(dtype)
    code = build({"type": "spikes"}, 9, file_steps, cells)
    assert code.accepts(values).all()
    spikes = code.inputs(code.compress(values), ())
    assert spikes.dtype == np.float32
    assert spikes.flags.c_contiguous
    assert np.array_equal(spikes[:file_steps], values.transpose(1, 0, 2))
    assert not spikes[file_steps:].any()


@given(
    values=arrays.arrays(np.int64, (3, 5), elements=st.integers(-7, 40)),
    within=st.integers(1, 12),
    silent=st.sampled_from([0.0, 0.1, 0.25, 0.5]),
)
def test_latency_is_exact_in_fractions(values, within, silent):
    """Rounding half to even of exact fractions; floats would round some the other way."""
    low, high = -7, 40
    chosen = {"type": "latency", "silent_below": silent, "within_steps": within}
    code = build(chosen, 20, range=(low, high))
    spikes = code.inputs(code.compress(values), ())
    target = np.zeros((20, 3, 5), np.float32)
    for (sample, cell), value in np.ndenumerate(values):
        share = Fraction(int(value) - low, high - low)
        if share > Fraction(silent):
            target[round((1 - share) * (within - 1)), sample, cell] = 1
    assert np.array_equal(spikes, target)


def test_range_is_scaled_to_other_ends():
    values = np.array([[0, 64, 128, 192, 256]])
    scale = {"range": (0, 256), "to": (1, -1)}
    real = build({"type": "constant"}, steps=2, **scale)
    inputs = real.inputs(real.compress(values), ())
    assert inputs.tolist() == [[[1, 0.5, 0, -0.5, -1]]] * 2
    scale["to"] = (0.5, 0)
    assert build({"type": "rate"}, **scale).compress(values)[0].tolist() == [
        0.5,
        0.375,
        0.25,
        0.125,
        0,
    ]
    late = build({"type": "latency"}, steps=9, **scale).compress(values)
    assert late[0].tolist() == [4, 5, 6, 7, -1]


@pytest.mark.parametrize("off", [False, True])
def test_delta_spikes_where_a_value_rises_or_falls_by_the_threshold(off):
    """As snntorch.spikegen.delta does with its default padding."""
    series = np.array([[[0.5, 0.0], [0.5, 0.25], [0.75, 0.0], [0.25, 0.375]]])
    code = build({"type": "delta", "threshold": 0.25, "off_spikes": off}, 5, file_steps=4, cells=2)
    spikes = code.inputs(code.compress(series), ())[:, 0]
    assert spikes.tolist() == [[1, 0], [0, 1], [1, -off], [-off, 1], [0, 0]]


@given(st.integers(0, 2**63 - 1), st.lists(st.integers(0, 2**40), min_size=1, max_size=6))
def test_random_spikes_are_those_of_numpys_philox(seed: int, rows: list[int]):
    """Key: 8 bytes of SHA-256 of seed and purpose; the row is the highest word of the counter."""
    code = build({"type": "rate"}, 7)
    compressed = code.compress(np.linspace(0, 1, 3 * len(rows)).reshape(-1, 3))
    spikes = code.inputs(compressed, sample_rngs(seed, "epoch 2", rows))
    key = hashlib.sha256(f"{seed} draws epoch 2".encode()).digest()[:8]
    for sample, row in enumerate(rows):
        philox = np.random.Philox(key=int.from_bytes(key, "little"), counter=row << 192)
        drawn = np.random.Generator(philox).random((7, 3), dtype=np.float32)
        assert np.array_equal(spikes[:, sample], drawn < compressed[sample])


def test_rows_and_purposes_draw_independently():
    """Means and correlations of 400 rows in two epochs are those of independent numbers."""
    drawn = np.array(
        [
            [rng.random(256) for rng in sample_rngs(0, purpose, range(400))]
            for purpose in ("epoch 0", "epoch 1")
        ]
    ).reshape(800, 256)
    assert len(np.unique(drawn)) == drawn.size
    assert abs(drawn.mean() - 0.5) < 5 / np.sqrt(12 * drawn.size)
    assert abs(drawn.mean(1).var() * 12 * 256 - 1) < 5 * np.sqrt(2 / 800)
    found = np.corrcoef(drawn)[np.triu_indices(800, 1)]
    assert np.abs(found).max() < 6.5 / np.sqrt(256)
    assert abs(found.var() * 255 - 1) < 0.05


def test_rates_are_probabilities():
    code = build({"type": "rate", "max_rate": 0.5}, steps=4000)
    spikes = code.inputs(code.compress(np.array([[0.0, 0.2, 0.6, 1.0]])), [generator()])
    assert spikes.flags.c_contiguous
    assert set(np.unique(spikes)) == {0.0, 1.0}
    rates = spikes.mean((0, 1))
    assert rates[0] == 0
    np.testing.assert_allclose(rates, [0, 0.1, 0.3, 0.5], atol=5 * 0.5 / np.sqrt(4000))
    pairs = (spikes[1:] * spikes[:-1]).mean((0, 1))  # steps are independent
    np.testing.assert_allclose(pairs, rates**2, atol=0.03)


@pytest.mark.parametrize("wrong", [-0.01, 1.01, np.nan, np.inf, -np.inf])
def test_values_outside_the_range_are_found(wrong: float):
    values = np.full((3, 2, 2), 0.5)
    values[1, 0, 1] = wrong
    for kind in ("rate", "latency"):
        accepted = build({"type": kind}, 5).accepts(values)
        assert np.argwhere(~accepted).tolist() == [[1, 0, 1]]


@pytest.mark.parametrize("wrong", [2, -1, 0.5, np.nan])
def test_values_other_than_0_and_1_are_found(wrong: float):
    values = np.zeros((3, 4, 2))
    values[2, 3, 1] = wrong
    accepted = build({"type": "spikes"}, 4, 4, 2).accepts(values)
    assert np.argwhere(~accepted).tolist() == [[2, 3, 1]]


def test_latency_within_the_sample_only():
    assert build({"type": "latency"}, steps=8).within_steps == 8
    assert build({"type": "latency", "within_steps": 3}, steps=8).within_steps == 3
    with pytest.raises(ValueError, match="within_steps is 9, but the network runs 8 steps"):
        build({"type": "latency", "within_steps": 9}, steps=8)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_ends_of_the_range_are_exact_in_any_precision(dtype):
    """0.1 in float32 is above 0.1; without rounding, an image's background would spike."""
    values = np.array([[0.1, 0.3, 0.9]], dtype)
    latency, rate = (build({"type": kind}, 9, range=(0.1, 0.9)) for kind in ("latency", "rate"))
    assert latency.compress(values).tolist() == [[-1, 6, 0]]
    assert rate.compress(values)[0, [0, 2]].tolist() == [0.0, 1.0]


@given(
    values=arrays.arrays(
        np.float64, (2, 3, 4), elements=st.floats(-600, 600, width=32) | st.just(1 / 128)
    ),
    is_series=st.booleans(),
    range=st.sampled_from([(0.0, 1.0), (-600.0, 600.0)]),
)
def test_real_inputs_are_multiples_of_a_64th(values, is_series, range):
    values = values if is_series else values[:, 0]
    data = {"type": "arrays", "path": "a.npz", "range": range}
    encoding = {"type": "series" if is_series else "constant"}
    code = build_code(Arrays.model_validate(data | {"encoding": encoding}), 5, 3 * is_series, 4)
    assert code.accepts(values).all()
    assert not code.is_random
    input_TBN = code.inputs(code.compress(values), ())
    assert input_TBN.dtype == np.float32
    assert input_TBN.shape == (5, 2, 4)
    scaled = values if range == (0, 1) else (values + 600) / 1200
    expected = np.clip(np.round(scaled * 64) / 64, -512, 512)
    if is_series:
        assert np.array_equal(input_TBN[:3], expected.swapaxes(0, 1))
        assert not input_TBN[3:].any()
    else:
        assert (input_TBN == expected).all()
    is_cut = range == (0, 1) and np.abs(values).max() > 512
    assert bool(code.warning(values.min(), values.max())) == is_cut
    values[0, 0] = np.nan
    assert np.array_equal(code.accepts(values), ~np.isnan(values))
