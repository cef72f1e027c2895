"""Outputs and classes of samples, in files and of inputs in memory."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.classify_task import (
    CELLS,
    CLASSES,
    STEPS,
    classify_document,
    samples,
    write_arrays,
    write_classify_task,
)
from support.training_task import write_task

import netdesc
from netdesc.data.data_errors import DataError
from netdesc.description import DescriptionError

pytestmark = pytest.mark.usefixtures("reference_engine")
WINDOW = {"type": "spike_rate", "window_steps": 3, "skip_steps": 2}
COUNTED = STEPS - 2


def read_table(path: Path) -> dict[str, np.ndarray]:
    with path.open(newline="") as file:
        names, *rows = csv.reader(file)
    return dict(zip(names, np.array(rows, float).T, strict=True))


def test_predictions_are_those_of_the_evaluation(tmp_path: Path) -> None:
    document = write_classify_task(tmp_path)
    run = netdesc.train(document, run_dir=tmp_path / "run", progress="quiet")
    score = netdesc.evaluate(run, "test", predictions=tmp_path / "a.npz").score
    netdesc.evaluate(run, "test", predictions=tmp_path / "a.csv")
    arrays, table = dict(np.load(tmp_path / "a.npz")), read_table(tmp_path / "a.csv")
    assert arrays["sample"].tolist() == list(range(45, 60))  # of the arrays, not of the part
    assert np.mean(arrays["predictions"] == arrays["labels"]) == score.accuracy
    assert arrays["confidence"].mean() == pytest.approx(score.confidence)
    silent = ~arrays["outputs"].any(1)
    assert (arrays["predictions"] == np.where(silent, -1, arrays["outputs"].argmax(1))).all()
    assert ",".join(table) == "sample,label,prediction,confidence,output_0,output_1,output_2"
    assert (table["prediction"] == arrays["predictions"]).all()
    assert (table["output_2"].astype(np.float32) == arrays["outputs"][:, 2]).all()

    (tmp_path / "data.npz").unlink()
    with pytest.raises(DescriptionError, match=r"data\.npz"):
        netdesc.evaluate(run, predictions=tmp_path / "a.npz")
    inputs, _ = samples(60)
    dataset = torch.utils.data.TensorDataset(torch.from_numpy(inputs[45:]), torch.arange(15))
    for values in (inputs[45:], torch.from_numpy(inputs[45:]), dataset):
        predicted = run.predict(values)
        assert (predicted.outputs == arrays["outputs"]).all()
        assert (predicted.classes == arrays["predictions"]).all()
        assert (predicted.confidence == arrays["confidence"]).all()
    assert len(repr(predicted)) < 200
    with pytest.raises(DataError, match="shape"):
        run.predict(inputs[:, 1:])


@pytest.mark.parametrize("by_step", [False, True])
def test_windows_predict_in_each_step(tmp_path: Path, by_step: bool) -> None:
    document = write_classify_task(tmp_path, loss=WINDOW)
    if by_step:
        write_arrays(tmp_path / "data.npz", labels=np.repeat(samples(60)[1][:, None], STEPS, 1))
    score = netdesc.evaluate(document, predictions=tmp_path / "a.npz").score
    netdesc.evaluate(document, predictions=tmp_path / "a.csv")
    arrays, table = dict(np.load(tmp_path / "a.npz")), read_table(tmp_path / "a.csv")
    assert arrays["outputs"].shape == (15, COUNTED, CLASSES)
    shape = (15, COUNTED) if by_step else (15,)
    assert arrays["labels"].shape == arrays["predictions"].shape == shape
    assert np.mean(arrays["predictions"] == arrays["labels"]) == pytest.approx(score.accuracy)
    assert np.mean(table["prediction"] == table["label"]) == pytest.approx(score.accuracy)
    assert table["step"][: COUNTED + 1].tolist() == [*range(2, STEPS), 2]
    assert (table["output_1"] == arrays["outputs"][..., 1].ravel().astype(str).astype(float)).all()


VALUES: list[tuple[dict[str, Any], str, tuple[int, ...]]] = [
    ({"type": "mean_squared_error"}, "targets", (STEPS, CLASSES)),
    ({"type": "mean_squared_error", "over": "mean"}, "targets", (CLASSES,)),
    ({"type": "spike_moid"}, "multi_hot", (CLASSES,)),
]


@pytest.mark.parametrize(("loss", "field", "shape"), VALUES)
def test_networks_without_classes_have_outputs(
    tmp_path: Path, loss: dict[str, Any], field: str, shape: tuple[int, ...]
) -> None:
    goals = np.eye(CLASSES)[samples(60)[1]]
    write_arrays(tmp_path / "data.npz", goals=goals)
    data = {"path": str(tmp_path / "data.npz"), field: "goals"}
    document = classify_document(data=data, loss=loss)
    evaluation = netdesc.evaluate(document, predictions=tmp_path / "a.npz")
    netdesc.evaluate(document, predictions=tmp_path / "a.csv")
    outputs = np.load(tmp_path / "a.npz")["outputs"]
    assert (outputs.shape, outputs.dtype) == ((15, *shape), np.float32)
    assert len(read_table(tmp_path / "a.csv")["output_0"]) == 15 * np.prod(shape) // CLASSES
    predicted = netdesc.predict(document, samples(60)[0][45:])
    assert predicted.classes is None
    assert (predicted.outputs == outputs).all()
    if evaluation.errors is not None:
        error = outputs - (goals[45:, None] if len(shape) > 1 else goals[45:])
        expected = evaluation.errors.root_mean_squared_error
        assert np.sqrt((error**2).mean()) == pytest.approx(expected)
    else:
        labels = np.load(tmp_path / "a.npz")["labels"]
        assert ((outputs > 0.5) == labels).all(1).mean() == evaluation.score.accuracy


def test_spikes_need_arrays_and_files_their_names(tmp_path: Path) -> None:
    path, file = write_task(tmp_path, pairs=2), tmp_path / "a.npz"
    matched = netdesc.evaluate(path, predictions=file).matched
    outputs = np.load(file)["outputs"]
    assert (outputs.dtype, outputs.ndim, len(outputs)) == (np.uint8, 3, 2)
    assert matched is not None
    for name, error in {"a.csv": DataError, "a.txt": DataError, "b/a.npz": OSError}.items():
        with pytest.raises(error, match=name):
            netdesc.evaluate(path, predictions=tmp_path / name)
    assert not [each for each in tmp_path.iterdir() if each.name.startswith(".")]


def test_a_run_on_arrays_encodes_as_it_was_trained(tmp_path: Path) -> None:
    inputs, labels = samples(30)
    data = {"train": (inputs, labels), "encoding": {"type": "latency"}, "range": (0, 4)}
    document = classify_document(training={"epochs": 1}) | {"data": None}
    run = netdesc.train(document, run_dir=tmp_path / "run", data=data, progress="quiet")
    predicted = run.predict(inputs)
    assert predicted.outputs.shape == (30, CLASSES)
    assert np.mean(predicted.classes == labels) == netdesc.evaluate(run, data=data).score.accuracy
    assert run.predict(np.zeros((1, CELLS))).classes.tolist() == [-1]
