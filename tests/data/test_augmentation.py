"""Augmentation moves and drops the inputs of training samples, drawn from the seed."""

import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from netdesc.data.array_samples import ArraySamples
from netdesc.data.batches import Batch, Batches, augment
from netdesc.data.encoding import build_code
from netdesc.data.event_reader import SparseSpikes
from netdesc.data.randomness import sample_rngs
from netdesc.data.samples import SampleSpec
from netdesc.data.spike_files import SpikeSamples
from netdesc.description.models import Arrays
from netdesc.description.models.augmentation import Augmentation

ALL = [
    {"type": "time_shift", "max_steps": 3},
    {"type": "spatial_shift", "max_pixels": 1},
    {"type": "drop_events", "probability": 0.3},
    {"type": "time_jitter", "max_steps": 1},
]


def steps(*chosen: dict[str, Any]) -> Augmentation:
    return TypeAdapter(Augmentation).validate_json(json.dumps(chosen))


def changed(inputs: np.ndarray, *chosen: dict[str, Any], seed: int = 0) -> np.ndarray:
    result = inputs.copy()
    augment(result, steps(*chosen), sample_rngs(seed, "test", range(inputs.shape[1])))
    return result


@given(st.integers(0, 2**32 - 1))
def test_a_shift_moves_the_whole_sample(seed: int) -> None:
    inputs = np.random.default_rng(seed).random((6, 2, 3, 4, 5)).astype(np.float32)
    moved = changed(inputs, {"type": "time_shift", "max_steps": 2}, seed=seed)
    for sample, before in zip(moved.swapaxes(0, 1), inputs.swapaxes(0, 1), strict=True):
        padded = np.pad(before, [(2, 2), (0, 0), (0, 0), (0, 0)])
        assert any(np.array_equal(sample, padded[start : start + 6]) for start in range(5))
    moved = changed(inputs, {"type": "spatial_shift", "max_pixels": 1}, seed=seed)
    for sample, before in zip(moved.swapaxes(0, 1), inputs.swapaxes(0, 1), strict=True):
        padded = np.pad(before, [(0, 0), (0, 0), (1, 1), (1, 1)])
        places = [(row, column) for row in range(3) for column in range(3)]
        assert any(np.array_equal(sample, padded[:, :, r : r + 4, c : c + 5]) for r, c in places)


def test_all_draws_occur_and_inputs_of_one_axis_are_shifted_too() -> None:
    inputs = np.zeros((7, 400, 5), np.float32)
    inputs[3, :, 2] = 1
    step, _, cell = np.nonzero(changed(inputs, *ALL[:2]))
    assert (set(step), set(cell)) == (set(range(7)), {1, 2, 3})


def test_events_are_dropped_and_moved_one_by_one() -> None:
    inputs = (np.random.default_rng(0).random((50, 3, 40)) < 0.2).astype(np.float32) * 2.5
    dropped = changed(inputs, ALL[2])
    assert np.array_equal(dropped[dropped != 0], inputs[dropped != 0])
    assert 0.65 < np.count_nonzero(dropped) / np.count_nonzero(inputs) < 0.75
    single = np.zeros((9, 1, 3000), np.float32)
    single[4] = -1.5
    jittered = changed(single, {"type": "time_jitter", "max_steps": 2})
    assert (np.count_nonzero(jittered, axis=0) == 1).all()
    assert np.bincount(np.nonzero(jittered)[0], minlength=9)[2:7].min() > 500
    assert jittered.sum() == single.sum()


def test_where_values_meet_the_largest_magnitude_stays() -> None:
    inputs = np.zeros((3, 1, 2000), np.float32)
    inputs[0], inputs[2] = -2, 1
    middle = changed(inputs, {"type": "time_jitter", "max_steps": 1})[1, 0]
    assert set(middle) == {-2.0, 0.0, 1.0}
    assert (middle == -2).mean() == pytest.approx(1 / 3, abs=0.05)


def sparse_samples() -> SpikeSamples:
    rng = np.random.default_rng(0)
    values = [np.arange(30, dtype=np.int32) for _ in range(20)]
    inputs = [SparseSpikes(t, t % 4, rng.random(30, np.float32)) for t in values]
    spec = SampleSpec(steps=30, step_ms=1.0, input_shape=(4,), output_shape=(3,), classes=3)
    return SpikeSamples(spec, inputs, np.arange(20), np.arange(20))


def by_row(batches: Iterable[Batch]) -> dict[int, torch.Tensor]:
    """The label of each sample is its row."""
    return {
        int(row): batch.input_TBN[:, number]
        for batch in batches
        for number, row in enumerate(batch.target)
    }


@pytest.mark.parametrize("kind", ["augmented", "random"])
@given(
    size=st.one_of(st.none(), st.integers(1, 25)),
    chosen=st.lists(st.integers(0, 19), min_size=1, unique=True),
    seed=st.integers(0, 2**63 - 1),
)
def test_draws_of_a_sample_do_not_depend_on_batches_order_or_selection(
    kind: str, size: int | None, chosen: list[int], seed: int
) -> None:
    samples, changes, cpu = sparse_samples(), steps(*ALL), torch.device("cpu")
    if kind == "random":
        data = Arrays.model_validate({"type": "arrays", "path": "a", "encoding": {"type": "rate"}})
        code, rows, values = build_code(data, 30, 0, 4), samples.rows, np.full((20, 4), 0.5)
        samples, changes = ArraySamples(code, samples.spec, code.compress(values), *[rows] * 3), ()
    whole = Batches(samples, None, cpu, seed, changes)
    some = Batches(samples[np.array(chosen)], size, cpu, seed, changes)
    for epoch in None, 0, 3:
        expected, found = (
            by_row(
                each.in_order() if epoch is None else (batch for (batch,) in each.shuffled(epoch))
            )
            for each in (whole, some)
        )
        assert sorted(found) == sorted(chosen)
        assert all(torch.equal(expected[row], sample) for row, sample in found.items())


def test_only_shuffled_batches_are_changed_and_each_epoch_in_its_own_way() -> None:
    samples = sparse_samples()
    batches, plain = (
        Batches(samples, 7, torch.device("cpu"), 0, each) for each in (steps(*ALL), ())
    )
    in_order = [batch.input_TBN for batch in batches.in_order()]
    assert all(map(torch.equal, in_order, (batch.input_TBN for batch in plain.in_order())))
    epochs = [torch.cat([b.input_TBN for (b,) in batches.shuffled(e)], 1) for e in (0, 1, 0)]
    assert torch.equal(epochs[0], epochs[2])
    assert not torch.equal(epochs[0], torch.cat([b.input_TBN for (b,) in plain.shuffled(0)], 1))
    whole = Batches(samples, None, torch.device("cpu"), 0, steps(*ALL))  # not shuffled
    first, second = (next(whole.shuffled(epoch))[0].input_TBN for epoch in (0, 1))
    assert not torch.equal(first, second)
