"""Samples of spike files: valid files are read, invalid ones raise one message."""

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
from support.modules_samples import dense, network

from netdesc.data.batches import Batches
from netdesc.data.data_errors import DataError, MissingDataError
from netdesc.data.samples import SampleSpec
from netdesc.data.spike_files import SparseSpikes, SpikeFileReader, SpikeSamples
from netdesc.events import Event, to_dense, write_events

CPU = torch.device("cpu")
SPEC = SampleSpec(steps=10, step_ms=1.0, input_shape=(4,), output_shape=(3,))
CLASSES = replace(SPEC, classes=3)


def write(path: Path, x: list[int], t: list[float]) -> None:
    zeros = np.zeros(len(x), np.int32)
    write_events(path, Event(np.array(x, np.int32), None, zeros, np.array(t, np.float64)))


def file(path: str, **more: Any) -> SimpleNamespace:
    return SimpleNamespace(
        **{"path": path, "sha256": None, "rounding": "nearest", "duplicates": "or"} | more
    )


def pair(path: str = "in.bs1", **more: Any) -> SimpleNamespace:
    return SimpleNamespace(input=file(path, **more), target=file("out.bs1"), label=None)


def labelled(label: int | None) -> SimpleNamespace:
    return SimpleNamespace(input=file("in.bs1"), target=None, label=label)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "in.bs1", [0, 3, 3, 1], [0.0, 2.6, 3.4, 9.0])
    write(tmp_path / "out.bs1", [2], [5.0])
    return tmp_path


@pytest.fixture
def read(folder: Path) -> Callable[..., tuple[SpikeSamples, list[str]]]:
    def read_pairs(*pairs: Any, spec: SampleSpec = SPEC) -> tuple[SpikeSamples, list[str]]:
        warnings: list[str] = []
        return SpikeFileReader(spec, folder.joinpath, warnings.append).read(pairs), warnings

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


@pytest.mark.parametrize(("kind", "counted"), [("neurons", 4), ("neurons", 3), ("flatten", 4)])
def test_counts_beyond_the_grid_of_input_neurons_give_one_warning(
    folder: Path, read: Callable, kind: str, counted: int
) -> None:
    first = {"name": "first", "type": kind} | ({"neuron": None} if kind == "neurons" else {})
    model = network(first, dense("last", 3), shape=(4,))
    write(folder / "in.bs1", [3] * counted, [2.0] * counted)
    spec = replace(SPEC, limits=SampleSpec.of(model.graph).limits)
    _, warnings = read(pair(duplicates="sum"), pair(duplicates="sum"), spec=spec)
    assert len(warnings) == ((kind, counted) == ("neurons", 4))


def test_events_outside_are_counted_in_one_warning(folder: Path) -> None:
    warnings: list[str] = []
    reader = SpikeFileReader(SPEC, folder.joinpath, warnings.append)
    reader.read([pair()])
    reader.warn_of_dropped()
    assert warnings == []
    write(folder / "in.bs1", [0, 4, 5, 1], [0.0, 1.0, 2.0, 10.0])
    write(folder / "more.bs1", [4, 4, 4, 4, 0], [0.0] * 5)
    pairs = [pair(), pair(), pair(path="more.bs1")]
    reader = SpikeFileReader(SPEC, folder.joinpath, warnings.append)
    assert len(reader.read(pairs)) == 3
    reader.warn_of_dropped()
    (warning,) = warnings
    assert "more.bs1 and 1 more file: 7 of 9 events" in warning


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
    samples = SpikeFileReader(CLASSES, path.with_name, lambda text: None).read([pair])
    wanted, _ = to_dense(event, (4,), 10, 1.0, rounding, duplicates)
    dense, labels = samples.dense(np.random.default_rng())
    assert np.array_equal(dense[:, 0], wanted)
    assert labels.tolist() == [1]


@pytest.mark.parametrize(("x", "t"), [([], []), ([7], [1.0]), ([0], [99.0])])
def test_a_target_without_events_is_refused(
    folder: Path, read: Callable, x: list[int], t: list[float]
) -> None:
    write(folder / "out.bs1", x, t)
    with pytest.raises(DataError, match=r"out\.bs1: the target holds no event inside 10 steps"):
        read(pair())


def test_inputs_without_any_event_inside_are_refused(folder: Path) -> None:
    write(folder / "out.bs1", [7], [1.0])
    reader = SpikeFileReader(CLASSES, folder.joinpath, lambda text: None)
    pairs = [
        SimpleNamespace(input=file(name), target=None, label=0) for name in ("in.bs1", "out.bs1")
    ]
    reader.require_events(reader.read(pairs))
    with pytest.raises(DataError, match="no input of 1 training samples"):
        reader.require_events(reader.read(pairs[1:]))


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


def test_labels_replace_targets(read: Callable) -> None:
    samples, _ = read(labelled(2), labelled(0), spec=CLASSES)
    assert samples.labels.tolist() == [2, 0]
    batch = only_batch(samples)
    assert batch.target.dtype == torch.int64
    assert batch.target.tolist() == [2, 0]
    assert only_batch(samples[1:]).target.tolist() == [0]
    assert only_batch(samples[np.array([1, 0])]).target.tolist() == [0, 2]


def test_samples_with_more_axes_keep_them() -> None:
    spec = SampleSpec(5, 1.0, (2, 3, 4), (3,))
    input, target = (
        SparseSpikes(*(np.array([v], np.int32) for v in at), np.ones(1, np.float32))
        for at in ((4, 17), (0, 0))
    )
    batch = only_batch(SpikeSamples(spec, [input], [target]))
    assert batch.input_TBN.shape == (5, 1, 2, 3, 4)
    assert batch.input_TBN[4, 0, 1, 1, 1] == 1.0
