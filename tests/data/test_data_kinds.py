"""Each kind of data is validated, trained on, resumed, evaluated and locked."""

import importlib.machinery
import json
import shutil
import sys
import threading
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.exchange_samples import dense
from support.exchange_samples import document as sample_document
from support.idx_samples import recording, write_images, write_recordings

import netdesc
from netdesc import machine
from netdesc.data.data_errors import DataError
from netdesc.data.samples import SampleSpec
from netdesc.data.splits import read_splits
from netdesc.description import DescriptionError

COUNTS = {"train": 12, "test": 6}
NEURON = {"type": "cuba", "threshold": 0.3, "current_decay": 0.5, "voltage_decay": 0.2}
CLASSES = ("left", "right")


class _Recordings:
    """A stand-in for the datasets of Tonic: events in a structured array, times in microseconds."""

    def __init__(self, save_to: str, train: bool = True, copies: int = 1, transform=None) -> None:
        self.folder, self.part = save_to, "train" if train else "test"
        self.targets = [label for label in (0, 1) for _ in range(COUNTS[self.part])] * copies

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, number: int) -> tuple[np.ndarray, Any]:
        event = recording(self.targets[number], number % COUNTS[self.part])
        rows = np.zeros(len(event), [("x", int), ("y", int), ("t", int), ("p", bool)])
        rows["x"], rows["y"], rows["p"] = event.x, event.y, event.p
        rows["t"] = np.rint(event.t * 1000)
        return rows, self.targets[number]


class _Named(_Recordings):
    """Classes have names, which only the samples have; parts are chosen by a word."""

    def __init__(self, save_to: str, split: str = "train") -> None:
        super().__init__(save_to, split == "train")
        self.names, self.targets, self.length = self.targets, [], len(self.targets)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, number: int) -> tuple[np.ndarray, Any]:
        self.targets, kept = self.names, self.targets
        events, label = super().__getitem__(number)
        self.targets = kept
        return events, CLASSES[label]


class _Broken(_Recordings):
    def __init__(self, save_to: str) -> None:
        raise OSError("no network")


class _Scenes(_Recordings):
    def __init__(self, save_to: str, scene: str) -> None:
        super().__init__(save_to)


@pytest.fixture
def tonic(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets: Any = types.ModuleType("tonic.datasets")
    kinds = {"Recordings": _Recordings, "Named": _Named, "Broken": _Broken, "Scenes": _Scenes}
    datasets.__all__ = list(kinds)
    vars(datasets).update(kinds)
    package = types.ModuleType("tonic")
    package.__spec__ = importlib.machinery.ModuleSpec("tonic", None, origin="tonic")
    monkeypatch.setitem(sys.modules, "tonic", package)
    monkeypatch.setitem(sys.modules, "tonic.datasets", datasets)


def write_document(folder: Path, data: dict[str, Any], **more: Any) -> Path:
    folder.mkdir(exist_ok=True)
    write_images(folder, COUNTS)
    write_recordings(folder, COUNTS, CLASSES)
    document = sample_document(
        [1, 2, 3] if data["type"] == "idx" else [2, 2, 3],
        [{"name": "flat", "type": "flatten"}, dense("output", 2, neuron=NEURON)],
        name="kinds",
        time={"steps": 12},
        data=data,
        loss={"type": "spike_max", "mode": "softmax"},
        training={"epochs": 20, "batch_size": 5},
    )
    path = folder / "kinds.json"
    path.write_text(json.dumps(document | more))
    return path


def files(part: str) -> dict[str, Any]:
    return {name: {"path": f"{part}-{name}"} for name in ("images", "labels")}


FOLDERS = {part: {"path": part} for part in COUNTS}
KINDS = {
    "idx": {"type": "idx", **files("train"), "test": files("test")},
    "event_folders": {"type": "event_folders", **FOLDERS, "rounding": "floor"},
    "tonic": {"type": "tonic", "dataset": "Recordings", "path": "data", "rounding": "floor"},
    "tonic with names": {"type": "tonic", "dataset": "Named", "path": "data", "rounding": "floor"},
}


def loss(run: netdesc.Run) -> float:
    return run.final["loss"]


@pytest.mark.parametrize("kind", ["idx", "event_folders", "tonic"])
def test_data_are_trained_on_and_tested(kind: str, tmp_path: Path, tonic: None) -> None:
    path = write_document(tmp_path, KINDS[kind])
    assert netdesc.check(path)[1] == []
    run = netdesc.train(path, run_dir=tmp_path / "run", progress="quiet")
    per_class = 1 if kind == "idx" else 2
    for part, count in COUNTS.items():
        found = netdesc.evaluate(run, part=part)
        assert found.samples == per_class * count
        assert found.score.accuracy > 0.9
    more = netdesc.train(
        tmp_path / "run/network.lock.json", run_dir=tmp_path / "again", progress="quiet"
    )
    assert loss(more) == loss(run)


def train_recordings(folder: Path, **options: Any) -> netdesc.Run:
    training = {"epochs": 5, "batch_size": 5, "checkpoint_every_s": 0}
    path = write_document(folder, KINDS["event_folders"], training=training)
    return netdesc.train(path, run_dir=folder / "run", progress="quiet", **options)


def weights(run: Path) -> bytes:
    return (run / "checkpoints/last.safetensors").read_bytes()


def test_spikes_of_recordings_are_kept_while_memory_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def remove_files(metrics: dict[str, Any]) -> None:
        shutil.rmtree(tmp_path / "kept/train", ignore_errors=True)

    monkeypatch.setattr(machine, "memory", lambda: machine.Memory(1 << 40, 1 << 20))
    expected = train_recordings(tmp_path / "read")
    monkeypatch.setattr(machine, "memory", lambda: machine.Memory(1 << 40, 1 << 39))
    run = train_recordings(tmp_path / "kept", callbacks=[remove_files])
    assert weights(run.path) == weights(expected.path)


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(bytes(7))])
def test_a_recording_that_is_damaged_in_training_is_named_and_the_run_resumes(
    damage: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damage_file(metrics: dict[str, Any]) -> None:
        damage(path)

    monkeypatch.setattr(machine, "memory", lambda: machine.Memory(None, None))
    expected = train_recordings(tmp_path / "whole")
    path = tmp_path / "cut/train" / CLASSES[1] / "00003.bin"
    with pytest.raises(DataError, match=path.name):
        train_recordings(tmp_path / "cut", callbacks=[damage_file])
    assert not any("reader" in thread.name for thread in threading.enumerate())
    write_recordings(tmp_path / "cut", COUNTS, CLASSES)
    resumed = netdesc.train(resume=tmp_path / "cut/run", progress="quiet")
    assert weights(resumed.path) == weights(expected.path)


def test_recordings_of_folders_and_tonic_are_the_same_samples(tmp_path: Path, tonic: None) -> None:
    spec = SampleSpec(12, 1.0, (2, 2, 3), (2,), classes=2)
    rng = np.random.default_rng(0)
    splits = {
        kind: read_splits(netdesc.load(write_document(tmp_path, KINDS[kind])), spec, print)
        for kind in ("event_folders", "tonic", "tonic with names")
    }
    assert splits["tonic with names"].validation is not None
    assert splits["tonic"].validation is None
    for part in COUNTS:
        first, *others = (getattr(each, part).dense(rng) for each in splits.values())
        for other in others:
            assert all(map(np.array_equal, other, first))
        assert first[0].sum() > 0


def test_without_tonic_the_command_that_installs_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "tonic", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "tonic").mkdir()  # a folder of datasets, which is no package
    path = write_document(tmp_path, KINDS["tonic"])
    (found,) = netdesc.check(path)[1]
    assert (found.code, found.hint) == ("ND329", "pip install tonic")
    with pytest.raises(DescriptionError, match="pip install tonic"):
        netdesc.evaluate(netdesc.load(path, with_files=False))


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ("Absent", "Tonic has no dataset Absent; it has Recordings, Named, Broken, Scenes"),
        ("Broken", "Tonic cannot load Broken in .*data: no network"),
        ("Scenes", "Scenes of Tonic needs other data.options: .*'scene'"),
    ],
)
def test_what_tonic_does_not_have(dataset: str, message: str, tmp_path: Path, tonic: None) -> None:
    path = write_document(tmp_path, {**KINDS["tonic"], "dataset": dataset})
    with pytest.raises(DataError, match=message):
        netdesc.train(path, run_dir=tmp_path / "run", progress="quiet")


def test_options_are_arguments_of_a_dataset_of_tonic(tmp_path: Path, tonic: None) -> None:
    def read(**options: Any) -> Any:
        path = write_document(tmp_path, {**KINDS["tonic"], "options": options})
        return read_splits(
            netdesc.load(path), SampleSpec(12, 1.0, (2, 2, 3), (2,), classes=2), print
        )

    assert len(read(copies=3).train) == 3 * len(read().train)
    only_test = read(train=False)
    assert (len(only_test.train), only_test.test) == (len(read().test), None)
    for name in ("transform", "save_to", "absent"):
        with pytest.raises(DataError, match=f'no option "{name}"; it takes train, copies'):
            read(**{name: 1})
