"""Large arrays are read batch by batch from the file, and never as a whole."""

import os
import re
import threading
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.array_reading import read_arrays
from support.classify_task import write_classify_task

import netdesc
from netdesc.data import array_checks, array_files, file_checks
from netdesc.data.array_samples import ArraySamples, is_mapped
from netdesc.data.batches import Batches
from netdesc.data.data_errors import DataError
from netdesc.data.encoding import Code
from netdesc.data.samples import SampleSpec

SAMPLES, STEPS, CELLS = 400, 20, 2000
SPEC = SampleSpec(STEPS, 1.0, (CELLS,), (2,), classes=2)
VALUES = replace(SPEC, classes=None, labels_by_step=True, learns_from="target values")


@pytest.fixture(scope="module")
def content() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "inputs": (rng.random((SAMPLES, STEPS, CELLS), np.float32) < 0.1).astype(np.uint8),
        "labels": np.arange(SAMPLES) % 2,
        "split": np.arange(SAMPLES) % 3,
        "targets": rng.normal(size=(SAMPLES, STEPS, 2)).astype(">f8"),
    }


def save_folder(path: Path, **content: np.ndarray) -> None:
    path.mkdir()
    for name, array in content.items():
        np.save(path / name, np.asfortranarray(array) if name == "targets" else array)


SAVERS = {"a.npz": np.savez, "folder": save_folder}


def read(path: Path, spec: SampleSpec = SPEC, **data: Any) -> dict[str, ArraySamples]:
    return read_arrays(path, spec, batch_size=4, split="split", **data)


@pytest.mark.parametrize("name", SAVERS)
@pytest.mark.parametrize(
    ("spec", "data"),
    [(SPEC, {}), (SPEC, {"encoding": {"type": "delta"}}), (VALUES, {"targets": "targets"})],
)
def test_batches_are_the_same_from_memory_and_from_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: Any, name: str, spec: Any, data: Any
) -> None:
    SAVERS[name](tmp_path / name, **content)
    resident = read(tmp_path / name, spec, **data)
    monkeypatch.setattr(array_files, "MAX_RESIDENT_BYTES", 10_000)
    mapped = read(tmp_path / name, spec, **data)
    for part, samples in mapped.items():
        assert is_mapped(samples.inputs)
        assert not is_mapped(resident[part].inputs)
        epochs = [
            Batches(each, 7, torch.device("cpu"), 3).shuffled(1)
            for each in (samples, resident[part])
        ]
        for (batch,), (other,) in zip(*epochs, strict=True):
            assert torch.equal(batch.input_TBN, other.input_TBN)
            assert torch.equal(batch.target, other.target)
    assert np.array_equal(mapped["train"].inputs, content["inputs"])
    assert is_mapped(mapped["train"].targets) == ("targets" in data)


@pytest.mark.parametrize("name", SAVERS)
def test_an_epoch_allocates_a_small_part_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: Any, name: str
) -> None:
    SAVERS[name](tmp_path / name, **content)
    monkeypatch.setattr(array_files, "MAX_RESIDENT_BYTES", 10_000)
    monkeypatch.setattr(array_checks, "_CHUNK_VALUES", 1 << 16)
    size = content["inputs"].nbytes
    tracemalloc.start()
    train = read(tmp_path / name)["train"]
    for _ in Batches(train, 4, torch.device("cpu"), 0).shuffled(0):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < size / 4


def test_values_of_a_file_are_checked_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: Any
) -> None:
    monkeypatch.setattr(array_files, "MAX_RESIDENT_BYTES", 10_000)
    monkeypatch.setattr(array_checks, "_CHUNK_VALUES", 1 << 16)
    inputs = content["inputs"].copy()
    inputs[333, 4, 5] = 2
    save_folder(tmp_path / "folder", **{**content, "inputs": inputs})
    with pytest.raises(ValueError, match=r"inputs\[333, 4, 5\] is 2, not 0 or 1"):
        read(tmp_path / "folder")
    (tmp_path / "folder/inputs.npy").write_bytes((tmp_path / "folder/inputs.npy").read_bytes()[:-1])
    with pytest.raises(ValueError, match='folder is damaged in its array "inputs"'):
        read(tmp_path / "folder")
    (tmp_path / "folder/inputs.npy").unlink()
    with pytest.raises(ValueError, match='has no array "inputs'):
        read(tmp_path / "folder")


def test_a_file_that_is_written_anew_in_training_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: Any
) -> None:
    save_folder(tmp_path / "folder", **content)
    monkeypatch.setattr(array_files, "MAX_RESIDENT_BYTES", 10_000)
    threads = threading.active_count()
    train = Batches(read(tmp_path / "folder")["train"], 4, torch.device("cpu"), 0)
    batches, others = train.shuffled(0), train.shuffled(1)
    next(batches), next(others)
    assert threading.active_count() == threads + 2
    others.close()
    path = tmp_path / "folder/inputs.npy"
    os.truncate(path, 1000)
    with pytest.raises(DataError, match=re.escape(str(path))):
        list(batches)
    assert threading.active_count() == threads


def test_resuming_checks_changed_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checked = set[str]()

    def note(owner: Any, name: str) -> None:
        call = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *values: checked.add(name) or call(*values))

    monkeypatch.setattr(array_files, "MAX_RESIDENT_BYTES", 1000)
    note(Code, "accepts")
    note(file_checks, "file_sha256")
    task = write_classify_task(tmp_path, training={"epochs": 1})
    run = netdesc.train(task, run_dir=tmp_path / "run", progress="quiet")
    assert checked == {"accepts"}
    for epochs in (2, 3):
        checked.clear()
        netdesc.train(resume=run.path, overrides={"training.epochs": epochs}, progress="quiet")
        assert checked == ({"accepts", "file_sha256"} if epochs == 3 else set())
        os.utime(tmp_path / "data.npz", (0, 0))
