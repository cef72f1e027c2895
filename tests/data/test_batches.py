"""Batches: their order, how often they are built, and on which device they stay."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from netdesc.data.batches import Batch, Batches
from netdesc.data.event_reader import SparseSpikes
from netdesc.data.samples import SampleSpec
from netdesc.data.spike_files import SpikeSamples
from netdesc.data.splits import hold_out

CPU = torch.device("cpu")
SPEC = SampleSpec(steps=10, step_ms=1.0, input_shape=(4,), output_shape=(3,))


def numbered(count: int) -> SpikeSamples:
    """Samples with one input spike each, whose size is the sample's number."""
    zero = np.zeros(1, np.int32)
    target = SparseSpikes(zero, zero, np.ones(1, np.float32))
    inputs = [SparseSpikes(zero, zero, np.array([n + 1], np.float32)) for n in range(count)]
    return SpikeSamples(SPEC, inputs, [target] * count, np.arange(count))


def whole(shuffled: Iterable[tuple[Batch, ...]]) -> Iterator[Batch]:
    return (batch for (batch,) in shuffled)


def numbers(some: Any) -> list[list[int]]:
    batches = (batch if isinstance(batch, tuple) else (batch,) for batch in some)
    return [(shard.input_TBN[0, :, 0].int() - 1).tolist() for batch in batches for shard in batch]


@given(st.integers(1, 20), st.integers(1, 25), st.integers(0, 2**63 - 1), st.integers(0, 100))
def test_every_epoch_holds_every_sample_once(count: int, size: int, seed: int, epoch: int) -> None:
    ordered = Batches(numbered(count), size, CPU, seed)
    order = numbers(ordered.shuffled(epoch))
    assert sorted([n for batch in order for n in batch]) == list(range(count))
    assert all(len(batch) == min(size, count) for batch in order[:-1])
    assert order == numbers(ordered.shuffled(epoch))
    assert [n for batch in numbers(ordered.in_order()) for n in batch] == list(range(count))


def test_the_order_changes_with_seed_and_epoch() -> None:
    samples = numbered(20)
    orders = [
        numbers(Batches(samples, 3, CPU, seed).shuffled(epoch))
        for seed, epoch in ((0, 0), (0, 1), (1, 0))
    ]
    assert orders[0] != orders[1]
    assert orders[0] != orders[2]


@given(st.integers(2, 30), st.integers(1, 20), st.integers(0, 1000))
def test_samples_are_held_out_by_the_seed(count: int, held_out: int, seed: int) -> None:
    samples = numbered(count)
    train, validation = hold_out(samples, min(held_out, count), seed)
    assert len(validation) == min(held_out, count)
    assert sorted([*train.rows, *validation.rows]) == list(range(count))
    again = hold_out(samples, min(held_out, count), seed)
    assert again[0].rows.tolist() == train.rows.tolist()


class Rows:
    """Samples whose inputs are their own numbers, counted as they are built."""

    is_random = reads_files = False
    built = 0

    def __init__(self, numbers: np.ndarray, targets: Callable[[np.ndarray], np.ndarray]) -> None:
        self.numbers, self.rows, self.targets = numbers, numbers, targets

    @property
    def labels(self) -> None:
        return None

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, which: Any) -> "Rows":
        return Rows(self.numbers[which], self.targets)

    def loaded(self) -> "Rows":
        return self

    def dense(self, rngs: Iterable[np.random.Generator]) -> tuple[np.ndarray, np.ndarray]:
        Rows.built += len(self)
        numbers = self.numbers[:, None, None].astype(np.float32)
        return np.zeros((5, len(self), 2, 3), np.float32) + numbers, self.targets(self.numbers)


TARGETS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "labels": lambda numbers: numbers % 3,
    "labels by step": lambda numbers: np.arange(5)[:, None] + numbers,
    "spikes": lambda numbers: (
        np.zeros((5, len(numbers), 4), np.float32) + numbers[:, None].astype(np.float32)
    ),
}


@pytest.mark.parametrize("kind", TARGETS)
def test_resident_batches_equal_built_ones(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = Rows(np.arange(11), TARGETS[kind])
    built, resident = (Batches(samples, 4, CPU, seed=3) for _ in range(2))
    monkeypatch.setitem(resident.__dict__, "_is_resident", True)
    for epoch in None, 0, 1:
        found, expected = (
            list(each.in_order() if epoch is None else whole(each.shuffled(epoch)))
            for each in (resident, built)
        )
        assert [batch.size for batch in found] == [4, 4, 3]
        for one, other in zip(found, expected, strict=True):
            assert one.size == other.size
            assert torch.equal(one.input_TBN, other.input_TBN)
            assert torch.equal(one.target, other.target)
            assert one.target.dtype == other.target.dtype
            assert one.input_TBN.is_contiguous()
    Rows.built = 0
    list(resident.shuffled(2))
    assert Rows.built == 0


@pytest.mark.parametrize(
    ("device", "is_random", "free", "resident"),
    [
        ("cuda", False, 4 * 1280, True),
        ("cuda", False, 4 * 1280 - 4, False),
        ("cuda", True, 1 << 40, False),
        ("cpu", False, 1 << 40, False),
    ],
)
def test_samples_stay_on_a_gpu_if_they_fit(
    device: str, is_random: bool, free: int, resident: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sample of 5 · 2 · 3 inputs and a label of 8 bytes takes 128 bytes."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free, 1 << 40))
    monkeypatch.setattr(Rows, "is_random", is_random)
    samples = Rows(np.arange(10), TARGETS["labels"])
    assert Batches(samples, 4, torch.device(device), seed=0)._is_resident is resident


@given(st.integers(1, 20), st.integers(1, 25))
def test_weighted_losses_of_batches_add_up_to_the_loss_of_all(count: int, size: int) -> None:
    values = torch.arange(1.0, count + 1)
    total = {"mean": 0.0, "sum": 0.0}
    for batch in Batches(numbered(count), size, CPU, seed=0).in_order():
        some = batch.input_TBN[0, :, 0]
        total["mean"] += some.mean().item() * batch.loss_weight("mean", count)
        total["sum"] += some.sum().item() * batch.loss_weight("sum", count)
    assert total["mean"] == pytest.approx(values.mean().item())
    assert total["sum"] == values.sum().item()
