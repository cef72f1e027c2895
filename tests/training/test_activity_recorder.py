"""``activity.npz``: the spikes that a run records for its report."""

import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as of_numpy
from safetensors.numpy import load_file
from support.classify_task import CLASSES, write_classify_task
from support.training_task import INPUTS, OUTPUTS, STEPS, train, train_task, write_task

import netdesc
from netdesc.api.compile import compile_run
from netdesc.events import read_events, to_dense
from netdesc.graph import build_graph
from netdesc.losses import build_classifier, majority
from netdesc.runs import activity_file
from netdesc.training import activity_recorder
from netdesc.training.activity_recorder import (
    ActivityRecorder,
    ActivitySnapshot,
    flat_raster,
    frame_epochs,
)
from netdesc.training.setup import prepare


def read_activity(run: Path) -> dict[str, Any]:
    with np.load(run / "activity.npz", allow_pickle=False) as file:
        return dict(file)


def dense(events: Any, cells: int) -> Any:
    spikes_TN = np.zeros((STEPS, cells), np.float32)
    spikes_TN[events[:, 0], events[:, 1]] = 1
    return spikes_TN


def test_rasters_are_computed_with_the_best_weights(tmp_path: Path) -> None:
    run = train_task(tmp_path, pairs=5, epochs=20).path
    found = read_activity(run)
    description, compiled = compile_run(run)
    compiled.model.eval()
    assert (found["part"], found["samples"], found["format"]) == ("train", 5, 1)
    hidden: list[torch.Tensor] = []
    layer = dict(compiled.model.blocks())["hidden"]
    layer.register_forward_hook(lambda _layer, _inputs, spikes_TBN: hidden.append(spikes_TBN))
    rates = []
    for k, number in enumerate(activity_recorder.evenly_spaced(5, 5)):
        pair = description.document.data.train[number]
        input_TN, target_TN = (
            to_dense(read_events(description.resolve(file.path)), (cells,), STEPS, 1.0)[0]
            for file, cells in ((pair.input, INPUTS), (pair.target, OUTPUTS))
        )
        output_TN = compiled.model(torch.from_numpy(input_TN)[:, None])[:, 0].detach().numpy()
        rates.append(output_TN.mean(0))
        assert (f"output_{k}" in found) == (k < activity_file.SHOWN_SAMPLES)
        if k < activity_file.SHOWN_SAMPLES:
            assert (dense(found[f"input_{k}"], INPUTS) == input_TN).all()
            assert (dense(found[f"target_{k}"], OUTPUTS) == target_TN).all()
            assert (dense(found[f"output_{k}"], OUTPUTS) == output_TN).all()
    assert found["rate_output"] == pytest.approx(np.mean(rates, 0), abs=1e-6)
    assert found["rate_hidden"].shape == (16,)
    for k, spikes_TBN in enumerate(hidden[: activity_file.SHOWN_SAMPLES]):
        assert (dense(found[f"hidden_{k}_hidden"], 16) == spikes_TBN[:, 0].detach().numpy()).all()


def test_traces_are_those_that_a_model_records(tmp_path: Path) -> None:
    run = train_task(tmp_path, pairs=2, epochs=3).path
    found = read_activity(run)
    model = compile_run(run)[1].model.eval()
    with model.record() as recordings:
        model(torch.from_numpy(dense(found["input_0"], INPUTS))[:, None])
    for name, recording in recordings.items():
        states = [recording.states[each] for each in ("u", "v")]
        signals = [recording.spikes, recording.inputs["x"], *states, recording.threshold]
        neurons = found[f"traced_{name}"]
        kept = torch.stack(signals)[:, : activity_recorder.MAX_TRACED_STEPS, 0, neurons]
        assert np.array_equal(found[f"trace_{name}"], kept.detach().transpose(1, 2).numpy())
        spikes = recording.spikes[:, 0].detach().sum(0).numpy()
        assert (spikes[neurons[[0, -1]]] == [spikes.max(), spikes.min()]).all()


def test_validation_samples_are_shown_if_there_are_any(tmp_path: Path) -> None:
    found = read_activity(train_task(tmp_path, pairs=5, validation_split=0.4, epochs=2).path)
    assert (found["part"], found["samples"]) == ("validation", 2)


def test_initial_weights_and_first_frame_are_from_before_training(tmp_path: Path) -> None:
    run = train_task(tmp_path, epochs=12).path
    description = netdesc.load(tmp_path / "task/tiny.json")
    model = netdesc.compile(description).model
    initial = load_file(run / "checkpoints/initial.safetensors")
    assert initial.keys() == model.state_dict().keys()
    assert all((initial[name] == value.numpy()).all() for name, value in model.state_dict().items())
    found = read_activity(run)
    output_TN = model(torch.from_numpy(dense(found["input_0"], INPUTS))[:, None])[:, 0]
    assert found["frame_epochs"].tolist() == sorted(frame_epochs(12))
    assert (dense(found["frame_0"], OUTPUTS) == output_TN.detach().numpy()).all()


def test_the_hidden_layers_of_a_sample_share_the_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_task(tmp_path / "task", epochs=1)
    document = json.loads(path.read_text())
    hidden = document["layers"][0]
    document["layers"][:1] = [hidden | {"name": name} for name in ("first", "second", "third")]
    path.write_text(json.dumps(document))
    monkeypatch.setattr(activity_recorder, "MAX_EVENTS", 20)
    monkeypatch.setattr(activity_recorder, "MAX_HIDDEN_LAYERS", 2)
    found = read_activity(train(netdesc.load(path), run_dir=tmp_path / "run").path)
    assert {name for name in found if name.startswith("hidden")} == {
        "hidden_0_first", "hidden_0_second",
    }  # fmt: skip
    assert 0 < len(found["hidden_0_first"]) <= 10


def test_a_diverged_run_has_the_activity_of_its_best_weights(tmp_path: Path) -> None:
    run = train_task(tmp_path, epochs=50, optimizer={"type": "sgd", "learning_rate": 1e38})
    assert run.status == "diverged"
    found = read_activity(run.path)
    assert found["epoch"] == 0
    assert all(math.isfinite(rate) for rate in found["rate_output"])


WINDOW = {"classifier": {"type": "moving_window", "window_steps": 4}}
LAST = {"loss": {"type": "cross_entropy", "over": "last"}}


@pytest.mark.parametrize("changes", [{"classifier": {"type": "rate"}}, WINDOW, LAST])
def test_predictions_match_the_rasters(tmp_path: Path, changes: dict[str, Any]) -> None:
    """After one epoch of slow learning, labels and predictions differ."""
    path = write_classify_task(
        tmp_path / "task",
        **changes,
        training={"epochs": 1, "optimizer": {"type": "sgd", "learning_rate": 1e-9}},
    )
    found = read_activity(
        train(netdesc.load(path), run_dir=tmp_path / "run", progress="quiet").path
    )
    with np.load(path.with_name("data.npz")) as file:
        labels = file["labels"][file["split"] == 1]
    labels = labels[activity_recorder.evenly_spaced(len(labels), len(labels))]
    classifier = build_classifier(build_graph(netdesc.load(path).document))
    predictions = []
    for k in range(activity_file.SHOWN_SAMPLES):
        output_TN = np.zeros((12, CLASSES), np.float32)
        output_TN[tuple(found[f"output_{k}"].T)] = 1
        prediction = classifier(torch.from_numpy(output_TN)[:, None])
        if changes == WINDOW:
            prediction = majority(prediction, CLASSES)
        predictions.append(prediction.item())
        assert found[f"label_{k}"] == labels[k]
        assert found[f"prediction_{k}"] == predictions[k]
        compared = output_TN[-1] if changes == LAST else output_TN.mean(0)
        assert found[f"rates_{k}"] == pytest.approx(compared)
        assert f"target_{k}" not in found
    assert predictions != labels[: len(predictions)].tolist()


def record_samples(path: Path, *sets: str) -> dict[str, Any]:
    """The arrays of the training samples, recorded before the first epoch."""
    setup = prepare(netdesc.load(path, sets), torch.device("cpu"))
    recorder = ActivityRecorder(path, setup.graph, setup.train, "train", 1)
    return recorder._record_samples(setup.network.state_dict())


@pytest.mark.parametrize(("samples", "count"), [(1, 1), (3, 3), (280, 64), (100, 7)])
def test_recorded_samples_are_of_all_classes_also_if_they_are_sorted(samples: int, count: int):
    chosen = activity_recorder.evenly_spaced(samples, count)
    assert len(set(chosen)) == count
    assert chosen[0] == 0
    for part in (chosen, chosen[: activity_file.SHOWN_SAMPLES]):
        assert set(part * min(4, samples) // samples) == set(range(min(4, samples)))


@pytest.mark.parametrize("at_once", [1, 2, 6])
@pytest.mark.parametrize("wrong", [None, 5, 4, 3, 1])
def test_a_misclassified_sample_is_shown_if_there_is_any(
    wrong: int | None, at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_task(tmp_path, pairs=6)
    calls = itertools.count()
    monkeypatch.setattr(ActivitySnapshot, "is_wrong", lambda *_: next(calls) == wrong)
    found = record_samples(path, f"training.batch_size={at_once}")
    order = activity_recorder.evenly_spaced(6, 6).tolist()
    assert order[:4] == [0, 2, 3, 5]
    replacing = order[wrong if wrong in (4, 5) else 3]
    for place, number in enumerate([*order[:3], replacing]):
        events = read_events(path.with_name(f"input{number}.bs1"))
        expected = to_dense(events, (INPUTS,), STEPS, 1.0)[0]
        np.testing.assert_array_equal(dense(found[f"input_{place}"], INPUTS), expected)


@pytest.mark.parametrize("labelled", [False, True])
def test_activity_does_not_depend_on_the_batch_size(labelled: bool, tmp_path: Path) -> None:
    path = write_classify_task(tmp_path) if labelled else write_task(tmp_path, pairs=5)
    complete = record_samples(path)
    one_by_one = record_samples(path, "training.batch_size=1")
    assert one_by_one.keys() == complete.keys()
    for name in complete:
        np.testing.assert_array_equal(one_by_one[name], complete[name], err_msg=name)


@given(
    of_numpy.arrays(np.bool_, of_numpy.array_shapes(min_dims=2, max_dims=3, max_side=9)),
    st.integers(0, 30),
)
def test_a_raster_has_all_events_or_those_of_the_first_steps(spikes: np.ndarray, most: int) -> None:
    expected = np.argwhere(spikes.reshape(len(spikes), -1))
    found = flat_raster("it", torch.from_numpy(spikes.astype(np.float32)), most)
    cut = found.get("cut_it")
    assert cut == (expected[most, 0] if len(expected) > most else None)
    events = expected if cut is None else expected[expected[:, 0] < cut]
    np.testing.assert_array_equal(found["it"], events)
    assert found["it"].dtype == np.int32
    assert found["it"].flags.f_contiguous, "files of pictures would be larger"
