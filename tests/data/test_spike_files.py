"""Samples of spike files: what they hold, and what is said of files that do not fit."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.modules_samples import dense, network

import netdesc
from netdesc.data.batches import Batches
from netdesc.data.event_reader import SparseSpikes
from netdesc.data.samples import SampleSpec
from netdesc.data.spike_files import SpikeSamples
from netdesc.data.splits import read_splits
from netdesc.events import Event, to_dense, write_events
from netdesc.graph import build_graph

CPU = torch.device("cpu")


def write(path: Path, x: list[int], t: list[float]) -> None:
    zeros = np.zeros(len(x), np.int32)
    write_events(path, Event(np.array(x, np.int32), None, zeros, np.array(t, np.float64)))


def pair(path: str = "in.bs1", label: int | None = None, **more: Any) -> dict[str, Any]:
    goal = {"target": {"path": "out.bs1"}} if label is None else {"label": label}
    return {"input": {"path": path, **more}, **goal}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "in.bs1", [0, 3, 3, 1], [0.0, 2.6, 3.4, 9.0])
    write(tmp_path / "out.bs1", [2], [5.0])
    return tmp_path


def read(folder: Path, *pairs: dict[str, Any], first: Any = (), with_files: bool = False) -> Any:
    """The training samples of a document, read as training does, and the warnings of ``load``."""
    labels = "label" in pairs[0]
    loss = {"type": "spike_rate"} if labels else {"type": "spike_time", "time_constant_ms": 2}
    document = {
        "format": 1,
        "name": "spikes",
        "time": {"steps": 10},
        "data": {"type": "spike_files", "train": pairs},
        "input": {"shape": [4]},
        "neurons": {"cuba": {"type": "cuba", "threshold": 1, "current_decay": 1,
                             "voltage_decay": 0.1}},
        "layers": [*first, {"name": "last", "type": "dense", "units": 3, "neuron": "cuba"}],
        "loss": loss,
        "training": {"epochs": 1, "optimizer": {"type": "adam", "learning_rate": 0.01}},
    }  # fmt: skip
    path = folder / "network.json"
    path.write_text(json.dumps(document))
    description = netdesc.load(path, with_files=with_files)
    spec = SampleSpec.of(build_graph(description.document))
    samples = read_splits(description, spec, lambda text: None).train
    return samples, [warning for warning in description.warnings if warning.code > "ND300"]


def only_batch(samples: SpikeSamples):
    (batch,) = Batches(samples, None, CPU, seed=0).in_order()
    return batch


@pytest.mark.parametrize(("kind", "counted"), [("neurons", 4), ("neurons", 3), ("flatten", 4)])
def test_counts_beyond_the_grid_of_input_neurons_give_one_warning(
    folder: Path, kind: str, counted: int
) -> None:
    first = {"name": "first", "type": kind} | ({"neuron": None} if kind == "neurons" else {})
    network(first, dense("last", 3), shape=(4,))
    write(folder / "in.bs1", [3] * counted, [2.0] * counted)
    pairs = [pair(duplicates="sum")] * 2
    _, warnings = read(folder, *pairs, first=[first], with_files=True)
    assert [each.code for each in warnings] == ["ND331"] * ((kind, counted) == ("neurons", 4))


def test_events_outside_are_counted_in_one_warning(folder: Path) -> None:
    write(folder / "in.bs1", [0, 4, 5, 1], [0.0, 1.0, 2.0, 10.0])
    write(folder / "more.bs1", [4, 4, 4, 4, 0], [0.0] * 5)
    samples, warnings = read(folder, pair(), pair(), pair("more.bs1"), with_files=True)
    assert len(samples) == 3
    (warning,) = warnings
    assert warning.code == "ND308"
    assert warning.message.startswith("4 of 5 events of more.bs1")
    assert "7 of 9 events" in warning.notes[-1]


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
    write(path.with_name("sound.bs1"), [0], [1])
    binning = {"rounding": rounding, "duplicates": duplicates}
    samples, _ = read(path.parent, pair("in.npy", 1, **binning), pair("sound.bs1", 2))
    wanted, _ = to_dense(event, (4,), 10, 1.0, rounding, duplicates)
    inputs, labels = samples.dense(())
    assert np.array_equal(inputs[:, 0], wanted)
    assert labels.tolist() == [1, 2]


def test_labels_replace_targets(folder: Path) -> None:
    samples, _ = read(folder, pair(label=2), pair(label=0))
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
    batch = only_batch(SpikeSamples(spec, [input], [target], np.arange(1)))
    assert batch.input_TBN.shape == (5, 1, 2, 3, 4)
    assert batch.input_TBN[4, 0, 1, 1, 1] == 1.0
