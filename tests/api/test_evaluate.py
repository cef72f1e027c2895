"""``evaluate`` on parts of the data, and ``run`` on one input."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.classify_task import (
    CELLS,
    CLASSES,
    STEPS,
    samples,
    write_arrays,
    write_classify_task,
    write_labelled_files,
)
from support.exchange_samples import set_time
from support.training_task import read_metrics, write_task

import netdesc
from netdesc import Run
from netdesc.api import run as inference
from netdesc.api.compile import compile
from netdesc.api.evaluate import Evaluation
from netdesc.api.load import load
from netdesc.data.data_errors import DataError
from netdesc.description import DescriptionError
from netdesc.description.models import Arrays
from netdesc.events import Event, EventFileError, from_dense, write_events
from netdesc.exchange import export_net


def train(document: Path, run: Path) -> Run:
    return netdesc.train(netdesc.load(document), run_dir=run, progress="quiet")


def in_numpy(path: Path, part: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and labels of a part, coded as latencies without netdesc."""
    with np.load(path) as file:
        chosen = file["split"] == part
        values, labels = file["inputs"][chosen], file["labels"][chosen]
    step = np.rint((1 - values / 4) * (STEPS - 1)).astype(int)
    spikes = np.arange(STEPS)[:, None, None] == np.where(values > 0, step, -1)
    return spikes.astype(np.float32), labels


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_an_evaluation_uses_the_best_weights(tmp_path: Path, part: Any) -> None:
    document = write_classify_task(tmp_path / "task", data={"encoding": {"type": "latency"}})
    run = train(document, tmp_path / "run")
    result = netdesc.evaluate(run, part)
    number = ("train", "validation", "test").index(part)
    inputs, labels = in_numpy(document.with_name("data.npz"), number)
    weights = tmp_path / "run/checkpoints/best.safetensors"
    compiled = netdesc.compile(netdesc.load(document, [f"weights.path={weights}"]))
    compiled.model.eval()
    with torch.no_grad():
        output = compiled.model(torch.from_numpy(inputs))
        loss = compiled.loss(output, torch.from_numpy(labels))
    counts = output.sum(0).numpy()
    predictions = np.where(counts.any(1), counts.argmax(1), -1)
    assert (result.part, result.samples) == (part, len(labels))
    assert result.loss == pytest.approx(loss.item() / len(labels), rel=1e-5)
    assert result.matched is None
    assert result.score.accuracy == pytest.approx((predictions == labels).mean())
    assert result.score.undecided == (predictions < 0).sum()
    confusion = [
        [int(((labels == label) & (predictions == each)).sum()) for each in range(CLASSES)]
        for label in range(CLASSES)
    ]
    assert result.score.confusion == confusion
    rates = {layer.layer: layer.rate for layer in result.layers}
    assert list(rates) == ["input", "hidden", "output"]
    assert rates["input"] == pytest.approx(inputs.mean())
    assert rates["output"] == pytest.approx(output.mean().item())


def test_validation_is_what_training_measured(tmp_path: Path) -> None:
    """Also with random inputs, drawn once from the seed, and with dropout, which it leaves out."""
    network = netdesc.load(write_classify_task(tmp_path), ["neurons.cuba.dropout=0.5"])
    run = netdesc.train(network, run_dir=tmp_path / "run", progress="quiet")
    result = netdesc.evaluate(run.path, "validation")
    assert result.loss == run.best["validation_loss"]
    assert result.score.accuracy == run.best["validation_accuracy"]
    assert result.score.confusion == read_metrics(run.path)[run.best["epoch"] - 1]["confusion"]


def test_more_validation_than_training_samples_are_measured_in_its_batches(tmp_path: Path) -> None:
    """The rate that a regularizer limits is that of a batch."""
    document = write_classify_task(
        tmp_path / "task",
        training={"batch_size": None},
        regularizers=[{"type": "event_rate", "max_rate": 0.01, "weight": 100}],
    )
    write_arrays(document.with_name("data.npz"), split=np.minimum(np.arange(60) // 10, 1))
    run = train(document, tmp_path / "run")
    assert netdesc.evaluate(run, "validation").loss == run.best["validation_loss"]


def test_training_does_not_use_the_test_samples(tmp_path: Path) -> None:
    """A run with other test samples is bit-identical."""
    run = train(write_classify_task(tmp_path / "task"), tmp_path / "run")
    values, labels = samples(60)
    values[-15:] = 4 - values[-15:]
    document = write_classify_task(tmp_path / "other")
    write_arrays(document.with_name("data.npz"), inputs=values, labels=labels)
    other = train(document, tmp_path / "again")
    name = "checkpoints/last.safetensors"
    assert (other.path / name).read_bytes() == (run.path / name).read_bytes()
    assert netdesc.evaluate(other).loss != netdesc.evaluate(run).loss


def test_the_part_that_is_measured_by_default(tmp_path: Path) -> None:
    def part(**changes: Any) -> str:
        return netdesc.evaluate(write_classify_task(tmp_path, **changes)).part

    assert part() == "test"
    assert part(data={"split": None}, training={"validation_split": 0.2}) == "validation"
    assert part(data={"split": None}) == "train"


def test_arrays_in_place_of_the_part(tmp_path: Path) -> None:
    arrays: Any = {"test": samples(9)}
    with pytest.raises(TypeError, match="data="):
        netdesc.evaluate(write_classify_task(tmp_path), arrays)


def test_a_part_without_samples(tmp_path: Path) -> None:
    document = write_classify_task(tmp_path, data={"split": None})
    with pytest.raises(DataError, match="no samples for test; there are: train") as error:
        netdesc.evaluate(document, "test")
    assert error.value.exit_code == 1
    with pytest.raises(DataError, match=r"^data has no samples for train; there are: test"):
        netdesc.evaluate(document, "train", {"test": samples(9)})


def test_spike_trains_are_matched(tmp_path: Path) -> None:
    document = write_task(tmp_path / "task", pairs=3, epochs=2, batch_size=2)
    run = train(document, tmp_path / "run")
    result = netdesc.evaluate(run)
    assert (result.part, result.samples, result.score) == ("train", 3, None)
    compared = [
        inference.run(run.path, tmp_path / f"task/input{number}.bs1").comparison
        for number in range(3)
    ]
    assert result.matched.met == sum(each.met for each in compared if each) > 0
    assert result.matched.target_spikes == sum(each.target_spikes for each in compared if each)
    assert result.loss == pytest.approx(sum(each.loss for each in compared if each) / 3, rel=1e-5)


def test_only_measuring_a_run_on_its_data_needs_the_data(tmp_path: Path) -> None:
    task = tmp_path / "task"
    document = write_task(task, epochs=1)
    run = train(document, tmp_path / "run")
    data = {"test": (np.ones((1, 40, 12)), np.ones((1, 40, 6)))}
    expected = inference.run(run, task / "input0.bs1"), netdesc.evaluate(run, data=data)
    target = task / "target0.bs1"
    for code, change in (
        ("ND303", lambda: target.write_bytes(b"\0" * 5)),
        ("ND301", target.unlink),
    ):
        change()
        netdesc.compile(run)
        netdesc.export_net(run.path, tmp_path / f"{code}.net")
        assert netdesc.evaluate(run, data=data) == expected[1]
        with pytest.raises(DescriptionError, match=rf"{code}(?s:.)*data="):
            netdesc.evaluate(run)
        result = inference.run(run, task / "input0.bs1")
        assert (result.spikes_TN == expected[0].spikes_TN).all()
    assert result.comparison is None
    assert len(result.warnings) == 1
    assert str(target) in result.warnings[0]
    for network in (document, json.loads(document.read_text())):
        assert netdesc.evaluate(network, data=data).samples == 1


def test_weights_are_checked_without_the_data(tmp_path: Path) -> None:
    run = train(write_task(tmp_path, epochs=1), tmp_path / "run")
    weights = {"path": str(run.path / "checkpoints/best.safetensors"), "sha256": "0" * 64}
    document = json.loads((tmp_path / "tiny.json").read_text()) | {"weights": weights}
    with pytest.raises(ValueError, match="SHA-256"):
        netdesc.evaluate(document, data={"test": (np.ones((1, 40, 12)), np.ones((1, 40, 6)))})


def test_nothing_to_evaluate(tmp_path: Path) -> None:
    document = write_classify_task(tmp_path)
    compiled = netdesc.compile(document)
    netdesc.export_net(compiled, tmp_path / "network.net")
    for network in (compiled, tmp_path / "network.net"):
        with pytest.raises(ValueError, match=r"names no data; .* data="):
            netdesc.evaluate(network)
    content = json.loads(document.read_text())
    del content["data"]
    document.write_text(json.dumps(content))
    with pytest.raises(ValueError, match='there is no "data"') as error:
        netdesc.evaluate(document)
    example = re.search(r'such as "data": ({[^}]*})', str(error.value))
    Arrays.model_validate_json(example[1])


def test_the_loss_of_a_net_file_is_named_as_assumed(tmp_path: Path) -> None:
    net = tmp_path / "tiny.net"
    netdesc.export_net(netdesc.compile(write_task(tmp_path)), net)
    data = {"test": (np.ones((1, 40, 12)), np.ones((1, 40, 6)))}
    (warning,) = netdesc.evaluate(net, data=data).warnings
    assert "holds no loss" in warning


def test_warnings_of_the_data_are_returned(tmp_path: Path) -> None:
    document = write_task(tmp_path, epochs=1)
    write_events(tmp_path / "input0.bs1", from_dense(np.ones((60, 12)), 1.0))
    result: Evaluation = netdesc.evaluate(document)
    untrained, outside = result.warnings
    assert "untrained weights of seed 0" in untrained
    assert "240 of 720 events of input0.bs1 lie outside" in outside


# The class of one input


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """A document with three labelled files, and random weights."""
    return write_labelled_files(tmp_path, 3)


@pytest.mark.parametrize("arithmetic", ["float", "integer"])
@pytest.mark.parametrize(
    "classifier", [{"type": "rate"}, {"type": "moving_window", "window_steps": 4}]
)
def test_an_input_is_classified(labelled: Path, arithmetic: Any, classifier: Any) -> None:
    network = netdesc.load(labelled, {"classifier": classifier})
    result = inference.run(network, labelled.with_name("2.bs1"), arithmetic)
    assert result.comparison is None
    assert result.classification.label == 2
    if classifier["type"] == "rate":
        assert result.classification.prediction == result.spikes_TN.sum(0).argmax()
    else:
        assert result.classification.prediction in range(CLASSES)


def test_arguments_that_no_run_has(labelled: Path) -> None:
    wrong: Any = "int"
    with pytest.raises(ValueError, match="known are float, integer"):
        inference.run(labelled, labelled.with_name("2.bs1"), wrong)
    wrong = [[0] * CELLS]
    with pytest.raises(TypeError, match="an Event or an array is needed, not list"):
        inference.run(labelled, wrong)


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_arrays_are_run(labelled: Path, tmp_path: Path, suffix: str) -> None:
    """Of any number of steps; one value for each neuron is held for all steps."""
    spikes_TN = np.random.default_rng(0).random((STEPS + 3, CELLS)) < 0.3
    long, image = tmp_path / f"long{suffix}", tmp_path / f"image{suffix}"
    save = np.save if suffix == ".npy" else np.savez
    save(long, spikes_TN)
    save(image, spikes_TN[0])
    for arithmetic in ("float", "integer"):
        found = inference.run(labelled, long, arithmetic)
        assert (found.steps, found.layers[0].spikes) == (STEPS + 3, np.count_nonzero(spikes_TN))
        part = inference.run(labelled, spikes_TN[:STEPS], arithmetic)
        assert np.array_equal(part.spikes_TN, found.spikes_TN[:STEPS])
        held = inference.run(labelled, image, arithmetic)
        repeated = np.tile(spikes_TN[0], (STEPS, 1))
        assert np.array_equal(
            held.spikes_TN, inference.run(labelled, repeated, arithmetic).spikes_TN
        )


def test_values_of_arrays_are_on_the_grid_of_training(labelled: Path) -> None:
    third, half = np.full(CELLS, 1 / 3), np.full(CELLS, 21 / 64)
    found, expected = inference.run(labelled, third), inference.run(labelled, half)
    assert np.array_equal(found.spikes_TN, expected.spikes_TN)
    assert found.warnings == expected.warnings


def test_images_that_neurons_at_the_input_cut_off_are_told(labelled: Path) -> None:
    content = json.loads(labelled.read_text())
    neurons = {"name": "first", "type": "neurons", "neuron": "cuba"}
    content["layers"].insert(0, neurons)
    labelled.write_text(json.dumps(content))
    bright, cut = (inference.run(labelled, np.full(CELLS, level)) for level in (5, 254 / 64))
    assert np.array_equal(bright.spikes_TN, cut.spikes_TN)
    (problem,) = set(bright.warnings) - set(cut.warnings)
    assert "-4 to 3.96875" in problem


@pytest.mark.parametrize(
    ("array", "problem"),
    [
        (np.zeros((2, CELLS + 1)), rf"shape \[2, {CELLS + 1}\].*takes \[steps, {CELLS}\]"),
        (np.zeros((0, CELLS)), "takes"),
        (np.full(CELLS, np.nan), "finite numbers"),
        (np.full(CELLS, "a"), "not numbers"),
    ],
)
def test_arrays_that_do_not_fit(labelled: Path, array: Any, problem: str) -> None:
    with pytest.raises(EventFileError, match=problem):
        inference.run(labelled, array)
    file = labelled.with_name("two.npz")
    np.savez(file, a=array[:0], b=array[:0])
    with pytest.raises(EventFileError, match=r'a, b; .* "input"; netdesc evaluate'):
        inference.run(labelled, file)


def test_events_that_do_not_fit_the_kind_of_shape(labelled: Path) -> None:
    file = labelled.with_name("pixels.bs2")
    ones = np.ones(2, np.int32)
    write_events(file, Event(ones, ones, ones, np.array([0.0, 1.0])))
    with pytest.raises(EventFileError, match=r"pixels\.bs2: these events have x, y and polarity"):
        inference.run(labelled, file)


def test_a_network_file_without_time_has_a_limited_number_of_steps(labelled: Path) -> None:
    net, file = labelled.with_name("classes.net"), labelled.with_name("late.npy")
    export_net(compile(load(labelled)).model, net)
    set_time(net, None, None)
    np.save(file, np.array([[1, 0, 1e6]]))
    with pytest.raises(EventFileError, match=r"late\.npy: its last event is at 1,000,000 ms"):
        inference.run(net, file)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_a_loss_does_not_depend_on_the_batches(tmp_path: Path, reduction: str) -> None:
    """15 samples in batches of 15, and of 7, 7 and 1."""
    found = []
    for size in (None, 7):
        loss = {"type": "spike_rate", "reduction": reduction}
        path = write_classify_task(
            tmp_path / f"{size}", loss=loss, training={"batch_size": size, "epochs": 1}
        )
        found.append(netdesc.evaluate(path, "test").loss)
    assert found[1] == pytest.approx(found[0], rel=1e-6)
