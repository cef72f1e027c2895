"""Torch datasets and loaders in the place of arrays."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.classify_task import classify_document, samples
from support.training_task import weights_of
from torch.utils import data as torch_data
from torch.utils.data import DataLoader, Dataset, Subset, TensorDataset

import netdesc
from netdesc.data import torch_dataset
from netdesc.data.data_errors import DataError
from netdesc.data.memory_data import MemoryData
from netdesc.data.torch_dataset import DatasetReader

VALUES, LABELS = samples(12)
TENSORS = torch.as_tensor(VALUES), torch.as_tensor(LABELS)


class Computed(Dataset[Any]):
    """A dataset of ``length`` samples that a function computes."""

    def __init__(self, sample: Callable[[int], Any], length: int = 12) -> None:
        self.sample, self.length = sample, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Any:
        return self.sample(index)


COMPUTED = Computed(lambda n: (VALUES[n], LABELS[n]))


class Stream(torch_data.IterableDataset[Any]):
    """A dataset without a length, which ends after ``length`` samples."""

    def __init__(self, length: int | None) -> None:
        self.length = length

    def __iter__(self) -> Iterator[Any]:
        for index in itertools.count() if self.length is None else range(self.length):
            yield VALUES[index % 12], LABELS[index % 12]


class MapStyle:
    """An object that is no torch dataset."""

    def __len__(self) -> int:
        return 12

    def __getitem__(self, index: int) -> list[Any]:
        return [VALUES[index].tolist(), int(LABELS[index])]


def record(data: Any) -> dict[str, Any]:
    return MemoryData.of({"train": data, "encoding": {"type": "rate"}, "range": (0, 4)}).record()


@pytest.mark.parametrize(
    "dataset",
    [
        TensorDataset(*TENSORS),
        DataLoader(TensorDataset(*TENSORS), batch_size=5, shuffle=True),
        torch_data.ConcatDataset([Subset(COMPUTED, range(5)), Subset(COMPUTED, range(5, 12))]),
        Stream(12),
    ],
)
def test_a_dataset_becomes_the_arrays_of_its_samples(dataset: Any) -> None:
    assert record(dataset) == record((VALUES, LABELS))
    pairs, of_map = (
        MemoryData.of({"train": each}).parts["train"] for each in (dataset, MapStyle())
    )
    for array, other in zip(pairs, of_map, strict=True):
        assert np.array_equal(array, np.asarray(other))


def test_spikes_take_a_byte_each_until_a_sample_has_other_values() -> None:
    spikes = np.eye(12, dtype=np.float32)
    inputs, _ = DatasetReader().read("train", Computed(lambda n: (spikes[n], n)))
    assert inputs.dtype == np.uint8
    spikes[7, 3] = 0.1
    inputs, labels = DatasetReader().read("train", Computed(lambda n: (spikes[n], n)))
    assert inputs.dtype == np.float32
    assert np.array_equal(inputs, spikes)
    assert labels.tolist() == [*range(12)]


@pytest.mark.usefixtures("reference_engine")
@pytest.mark.filterwarnings("ignore")
def test_a_loader_trains_and_resumes_as_its_arrays(tmp_path: Path) -> None:
    training = {"validation_split": 0.25, "checkpoint_every_s": 0, "epochs": 3}
    document = classify_document(data={"split": None}, training=training)
    arrays, loader = (
        {"data": {"train": data}, "progress": "quiet"}
        for data in ((VALUES, LABELS), DataLoader(TensorDataset(*TENSORS), 8, shuffle=True))
    )

    def stop(metrics: dict[str, Any]) -> None:
        if metrics["epoch"] == 2:
            raise KeyboardInterrupt

    whole = netdesc.train(document, run_dir=tmp_path / "whole", **arrays)
    run = netdesc.train(document, callbacks=stop, run_dir=tmp_path / "run", **loader)
    assert run.status == "interrupted"
    run = netdesc.train(resume=run, **loader)
    assert weights_of(run.path) == weights_of(whole.path)
    assert netdesc.evaluate(run, data=loader["data"]).loss == run.best["validation_loss"]


@pytest.mark.parametrize(
    ("options", "unused"),
    [
        ({"batch_size": 8, "shuffle": True}, ()),
        ({"batch_size": None}, ()),
        ({"batch_size": 5}, ("batch_size 5", "training.batch_size is 8")),
        ({"batch_size": 8, "sampler": range(3)}, ("sampler", "Subset")),
        ({"batch_size": 8, "collate_fn": list}, ("collate_fn",)),
    ],
)
def test_a_loader_is_warned_of_what_is_not_used(options: Any, unused: tuple[str, ...]) -> None:
    texts: list[str] = []
    reader = DatasetReader(warn=texts.append, batch_size=8)
    inputs, _ = reader.read("train", DataLoader(TensorDataset(*TENSORS), **options))
    assert len(inputs) == 12
    assert len(texts) == bool(unused)
    assert all(word in texts[0] for word in unused)


class Image:
    """Stands for an image of PIL."""

    __module__ = "PIL.Image"


WRONG: list[tuple[Any, str]] = [
    (Computed(lambda n: (VALUES[n][: 4 - n // 7], 0)), r'data\["train"\]\[7\].* shapes \[\[3'),
    (Computed(lambda n: (VALUES[n], 0, 1)), r'data\["train"\]\[0\] is a tuple of 3 items'),
    (Computed(lambda n: {"x": VALUES[n]}), r"\[0\] is a dict; .*pair"),
    (Computed(lambda n: (Image(), 0)), r"\[0\].*ToTensor"),
    (Computed(lambda n: (VALUES[n], n / 2 if n == 3 else n)), r"\[3\].* 1\.5 is no integer"),
    (Computed(lambda n: (VALUES[n], "cat")), r"\[0\]: the label .*number"),
    (Computed(lambda n: (VALUES[n], 0), length=0), "empty"),
    (Computed(lambda n: (VALUES[n], 0), length=10**12), r"1,000,000,000,000 samples .*Subset"),
    (Stream(None), "did not end"),
    (Stream(0), "empty"),
    (Dataset(), "__len__"),
]


@pytest.mark.parametrize(("dataset", "problem"), WRONG)
def test_samples_that_do_not_fit(dataset: Any, problem: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(torch_dataset, "MAX_STREAM_SAMPLES", 100)
    with pytest.raises(DataError, match=problem):
        DatasetReader(free_bytes=lambda: 1 << 30).read("train", dataset)


def test_errors_name_the_sample_and_progress_counts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_dataset, "SHOW_INTERVAL_S", 0)
    shown: list[Any] = []
    reader = DatasetReader(show=lambda *progress: shown.append(progress))
    with pytest.raises(ZeroDivisionError) as raised:
        reader.read("test", Computed(lambda n: (VALUES[n], 1 // (4 - n))))
    assert any('data["test"][4]' in note for note in raised.value.__notes__)
    assert shown[2][1:] == (3, 12)
