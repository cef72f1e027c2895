"""Spike files become batches."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from netdesc.events import Event, to_dense, write_events
from netdesc.kernels.spike_words import SpikeWords
from netdesc.training import data
from netdesc.training.data import Batches, Frame, split
from netdesc.training.errors import DataError, MissingDataError
from netdesc.training.spike_files import SpikeFiles, Spikes, SpikeSamples

CPU = torch.device("cpu")
FRAME = Frame(steps=10, step_ms=1.0, input_shape=(4,), output_shape=(3,))
CLASSES = replace(FRAME, classes=3)


def write(path: Path, x: list[int], t: list[float]) -> None:
    zeros = np.zeros(len(x), np.int32)
    write_events(path, Event(np.array(x, np.int32), None, zeros, np.array(t, np.float64)))


def file(path: str, **more: Any) -> SimpleNamespace:
    return SimpleNamespace(
        **{"path": path, "sha256": None, "rounding": "nearest", "duplicates": "or"} | more
    )


def pair(**more: Any) -> SimpleNamespace:
    return SimpleNamespace(input=file("in.bs1", **more), target=file("out.bs1"), label=None)


def labelled(label: int | None) -> SimpleNamespace:
    return SimpleNamespace(input=file("in.bs1"), target=None, label=label)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "in.bs1", [0, 3, 3, 1], [0.0, 2.6, 3.4, 9.0])
    write(tmp_path / "out.bs1", [2], [5.0])
    return tmp_path


@pytest.fixture
def read(folder: Path) -> Callable[..., tuple[SpikeSamples, list[str]]]:
    def read_pairs(*pairs: Any, frame: Frame = FRAME) -> tuple[SpikeSamples, list[str]]:
        warnings: list[str] = []
        return SpikeFiles(frame, folder.joinpath, warnings.append).read(pairs), warnings

    return read_pairs


def only_batch(samples: SpikeSamples):
    (batch,) = Batches(samples, None, CPU, seed=0).in_order()
    return batch


def test_events_land_in_their_cells(read: Callable) -> None:
    samples, warnings = read(pair())
    batch = only_batch(samples)
    wanted = torch.zeros(10, 1, 4)
    wanted[0, 0, 0] = wanted[3, 0, 3] = wanted[9, 0, 1] = 1.0
    assert torch.equal(batch.input_TBN, wanted)
    assert batch.input_TBN.is_contiguous()
    assert batch.target.sum() == batch.target[5, 0, 2] == 1.0
    assert not warnings


def test_rounding_and_duplicates_are_those_of_the_file(read: Callable) -> None:
    batch = only_batch(read(pair(duplicates="sum"))[0])
    assert batch.input_TBN[3, 0, 3] == 2.0
    batch = only_batch(read(pair(rounding="floor"))[0])
    assert batch.input_TBN[2, 0, 3] == batch.input_TBN[3, 0, 3] == 1.0


def test_events_outside_are_counted_in_one_warning_a_file(folder: Path, read: Callable) -> None:
    write(folder / "in.bs1", [0, 4, 5, 1], [0.0, 1.0, 2.0, 10.0])
    samples, warnings = read(pair(), pair())
    assert len(samples) == 2
    (warning,) = warnings
    assert "in.bs1: 3 of 4 events" in warning


@pytest.mark.parametrize(
    ("files", "last"), [(3, None), (4, "1 more file has"), (9, "6 more files")]
)
def test_only_a_few_files_are_told_one_by_one(folder: Path, files: int, last: str | None) -> None:
    warnings: list[str] = []
    reader = SpikeFiles(CLASSES, folder.joinpath, warnings.append)
    pairs = []
    for number in range(files):
        write(folder / f"{number}.bs1", [0, 1], [0.0, 10.0])
        pairs.append(SimpleNamespace(input=file(f"{number}.bs1"), target=None, label=0))
    reader.read(pairs)
    reader.sum_up()
    assert len(warnings) == 3 + (last is not None)
    assert all("1 of 2 events" in warning for warning in warnings[:3])
    if last is not None:
        assert warnings[3].startswith(last)


@given(
    x=st.lists(st.tuples(st.integers(0, 5), st.integers(-2000, 12_000)), max_size=40),
    rounding=st.sampled_from(["nearest", "floor"]),
    duplicates=st.sampled_from(["or", "sum"]),
)
def test_samples_are_the_events_as_a_tensor(tmp_path_factory, x, rounding, duplicates) -> None:
    path = tmp_path_factory.mktemp("spikes") / "in.npy"
    zeros = np.zeros(len(x), np.int32)
    places, times = np.array(x, np.int64).reshape(-1, 2).T
    event = Event(places.astype(np.int32), None, zeros, times / 1000)
    write_events(path, event)
    pair = SimpleNamespace(
        input=file(path.name, rounding=rounding, duplicates=duplicates), target=None, label=1
    )
    samples = SpikeFiles(CLASSES, path.with_name, lambda text: None).read([pair])
    wanted, _ = to_dense(event, (4,), 10, 1.0, rounding, duplicates)
    dense, labels = samples.dense(np.random.default_rng())
    assert np.array_equal(dense[:, 0], wanted)
    packed = samples.packed(np.random.default_rng())
    assert packed is not None
    assert len(packed[0].words) == max(1, int(wanted.max()).bit_length())
    assert np.array_equal(packed[0].dense(), dense)
    assert packed[1] is labels


@pytest.mark.parametrize("most", [1, 2, 65_535, 65_536])
def test_counts_are_packed_unless_they_are_too_large(most: int) -> None:
    """In a sample beside one without any, and as a target; the other one is packed then."""
    zero = np.zeros(1, np.int32)
    one, many = (Spikes(zero, zero, np.array([n], np.float32)) for n in (1, most))
    draws = np.random.default_rng()
    samples = SpikeSamples(FRAME, [one, many], [one, one])
    packed = samples.packed(draws)
    assert (packed is None) == (most > 65_535)
    if packed is not None:
        assert np.array_equal(packed[0].dense(), samples.dense(draws)[0])
    samples = SpikeSamples(FRAME, [one, one], [many, one])
    packed = samples.packed(draws)
    assert packed is not None
    wanted = packed[1]
    assert isinstance(wanted, SpikeWords) == (most <= 65_535)
    dense = wanted.dense() if isinstance(wanted, SpikeWords) else wanted
    assert np.array_equal(dense, samples.dense(draws)[1])


@pytest.mark.parametrize(("x", "t"), [([], []), ([7], [1.0]), ([0], [99.0])])
def test_a_target_without_events_is_refused(
    folder: Path, read: Callable, x: list[int], t: list[float]
) -> None:
    write(folder / "out.bs1", x, t)
    with pytest.raises(DataError, match=r"out\.bs1: the target holds no event inside 10 steps"):
        read(pair())


def test_a_changed_file_is_refused(folder: Path, read: Callable) -> None:
    digest = hashlib.sha256((folder / "in.bs1").read_bytes()).hexdigest()
    read(pair(sha256=digest))
    with pytest.raises(DataError, match=r"in\.bs1: the file has changed"):
        read(pair(sha256="0" * 64))


def test_a_missing_file_has_the_exit_code_of_missing_data(folder: Path, read: Callable) -> None:
    (folder / "in.bs1").unlink()
    with pytest.raises(MissingDataError, match=r"in\.bs1: cannot read this file: no such") as error:
        read(pair())
    assert error.value.exit_code == 3


def test_a_file_of_odd_length_names_itself(folder: Path, read: Callable) -> None:
    (folder / "in.bs1").write_bytes(b"1234567")
    with pytest.raises(DataError, match=r"in\.bs1: has 7 bytes") as error:
        read(pair())
    assert error.value.exit_code == 1


def test_labels_stand_where_targets_would(read: Callable) -> None:
    samples, _ = read(labelled(2), labelled(0), frame=CLASSES)
    assert samples.labels.tolist() == [2, 0]
    batch = only_batch(samples)
    assert batch.target.dtype == torch.int64
    assert batch.target.tolist() == [2, 0]
    assert only_batch(samples[1:]).target.tolist() == [0]
    assert only_batch(samples[np.array([1, 0])]).target.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("label", "frame", "message"),
    [
        (3, CLASSES, r"in\.bs1: label 3 is none of the classes 0 to 2"),
        (None, CLASSES, r"in\.bs1: this input has no label"),
        (1, FRAME, r"in\.bs1: this input has no target"),
    ],
)
def test_what_the_loss_cannot_learn_from_is_refused(
    read: Callable, label: int | None, frame: Frame, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read(labelled(label), frame=frame)


def numbered(count: int, frame: Frame = FRAME) -> SpikeSamples:
    """Samples that are told apart by their one input spike's size."""
    zero = np.zeros(1, np.int32)
    target = Spikes(zero, zero, np.ones(1, np.float32))
    inputs = [Spikes(zero, zero, np.array([n + 1], np.float32)) for n in range(count)]
    return SpikeSamples(frame, inputs, [target] * count)


def numbers(batches: Any) -> list[list[int]]:
    return [(batch.input_TBN[0, :, 0].int() - 1).tolist() for batch in batches]


@given(st.integers(1, 20), st.integers(1, 25), st.integers(0, 2**63 - 1), st.integers(0, 100))
def test_every_epoch_holds_every_sample_once(count: int, size: int, seed: int, epoch: int) -> None:
    batches = Batches(numbered(count), size, CPU, seed)
    order = numbers(batches.shuffled(epoch))
    assert sorted([n for batch in order for n in batch]) == list(range(count))
    assert all(len(batch) == min(size, count) for batch in order[:-1])
    assert order == numbers(batches.shuffled(epoch))
    assert [n for batch in numbers(batches.in_order()) for n in batch] == list(range(count))


def test_the_order_changes_with_seed_and_epoch() -> None:
    samples = numbered(20)
    orders = [
        numbers(Batches(samples, 3, CPU, seed).shuffled(epoch))
        for seed, epoch in ((0, 0), (0, 1), (1, 0))
    ]
    assert orders[0] != orders[1]
    assert orders[0] != orders[2]


def test_one_batch_of_everything_is_built_once() -> None:
    batches = Batches(numbered(3), None, CPU, seed=0)
    (first,), (second,) = batches.shuffled(0), batches.in_order()
    assert first is second
    assert numbers([first]) == [[0, 1, 2]]


@given(st.integers(2, 30), st.floats(0.001, 0.6), st.integers(0, 1000))
def test_split_divides_the_samples_by_the_seed(count: int, share: float, seed: int) -> None:
    samples = numbered(count)
    if max(1, round(share * count)) >= count:
        with pytest.raises(DataError):
            split(samples, share, seed)
        return
    train, validation = split(samples, share, seed)
    assert len(validation) == max(1, round(share * count))
    both = [*train.inputs, *validation.inputs]
    assert sorted(map(id, both)) == sorted(map(id, samples.inputs))
    again = split(samples, share, seed)
    assert list(map(id, again[0].inputs)) == list(map(id, train.inputs))


def test_split_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(DataError, match="leaves none of the 1 sample"):
        split(numbered(1), 0.1, 0)


def test_samples_with_more_axes_keep_them() -> None:
    frame = Frame(5, 1.0, (2, 3, 4), (3,))
    spike = Spikes(*(np.array([v], np.int32) for v in (4, 17)), np.ones(1, np.float32))
    batch = only_batch(replace(numbered(1, frame), inputs=[spike]))
    assert batch.input_TBN.shape == (5, 1, 2, 3, 4)
    assert batch.input_TBN[4, 0, 1, 1, 1] == 1.0


class Rows:
    """Samples whose inputs are their own numbers, counted as they are built."""

    is_random = False
    built = 0

    def __init__(self, numbers: np.ndarray, targets: Callable[[np.ndarray], np.ndarray]) -> None:
        self.numbers, self.targets = numbers, targets

    @property
    def labels(self) -> None:
        return None

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, which: Any) -> Rows:
        return Rows(self.numbers[which], self.targets)

    def dense(self, draws: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
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
def test_batches_of_resident_samples_are_those_that_are_built(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = Rows(np.arange(11), TARGETS[kind])
    built, kept = (Batches(samples, 4, CPU, seed=3) for _ in range(2))
    monkeypatch.setitem(kept.__dict__, "_is_resident", True)
    for batches in ("in order", 0, 1):
        ours, theirs = (
            list(each.in_order() if batches == "in order" else each.shuffled(batches))
            for each in (kept, built)
        )
        assert [batch.size for batch in ours] == [4, 4, 3]
        for one, other in zip(ours, theirs, strict=True):
            assert one.size == other.size
            assert torch.equal(one.input_TBN, other.input_TBN)
            assert torch.equal(one.target, other.target)
            assert one.target.dtype == other.target.dtype
            assert one.input_TBN.is_contiguous()
    Rows.built = 0
    list(kept.shuffled(2))
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
def test_samples_stay_on_a_gpu_where_they_fit(
    device: str, is_random: bool, free: int, resident: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sample of 5 · 2 · 3 inputs and a label of 8 bytes takes 128 bytes."""
    monkeypatch.setattr(data, "_free_bytes", lambda _: free)
    monkeypatch.setattr(Rows, "is_random", is_random)
    samples = Rows(np.arange(10), TARGETS["labels"])
    assert Batches(samples, 4, torch.device(device), seed=0)._is_resident is resident
