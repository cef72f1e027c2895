"""Runs with several losses, with multi-hot labels, and with target values."""

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from support.classify_task import CLASSES, classify_document, samples, write_arrays
from support.exchange_samples import document as sample_document
from support.training_task import (
    at_epoch,
    read_metrics,
    read_record,
    train,
    untimed_metrics,
    weights_of,
)

import netdesc
from netdesc.cli.evaluate import evaluate
from netdesc.cli.output import Output
from netdesc.data.data_errors import DataError
from netdesc.kernels.engines import use_engine

pytestmark = pytest.mark.usefixtures("reference_engine")

LEARNING = {
    "type": "cuba",
    "threshold": 0.3,
    "current_decay": 0.5,
    "voltage_decay": 0.2,
    "surrogate": {"width": 0.3, "peak": 1.0},
    "learn": ["voltage_decay", "threshold"],
}


def all_options() -> dict[str, Any]:
    document = classify_document(training={"epochs": 12})
    document["neurons"] = {"cuba": LEARNING}
    hidden, output = document["layers"]
    early = {
        "name": "early",
        "type": "dense",
        "units": CLASSES,
        "neuron": "cuba",
        "weight_scale": 1,
    }
    document["layers"] = [hidden, early | {"from": "hidden"}, output | {"from": "hidden"}]
    document["loss"] = [
        {"type": "spike_max", "reduction": "mean"},
        {"type": "cross_entropy", "from": "early", "signal": "v", "over": "max", "weight": 0.5},
        {"type": "cross_entropy", "signal": "u", "over": "each_step", "skip_steps": 2},
    ]
    document["regularizers"] = [{"type": "event_rate", "layers": ["hidden"], "max_rate": 0.2}]
    document["training"] |= {
        "optimizer": {"type": "radam", "learning_rate": 0.05},
        "schedule": {"type": "plateau", "factor": 0.5, "patience_epochs": 1, "min_delta": 0.01},
        "groups": [{"parameters": ["decays", "thresholds"], "learning_rate": 0.002}],
    }
    return document


def run(folder: Path, document: dict[str, Any], **arrays: Any) -> Path:
    folder.mkdir(exist_ok=True)
    write_arrays(folder / "data.npz", **arrays)
    path = folder / "network.json"
    path.write_text(json.dumps(document))
    train(netdesc.load(path), run_dir=folder / "run", engine="reference", progress="quiet")
    return folder / "run"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with all options that was not interrupted."""
    return run(tmp_path_factory.mktemp("whole"), all_options())


def test_a_list_of_losses_trains_and_resumes_to_the_bit(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        at_epoch(patch, 7, lambda: os.kill(os.getpid(), signal.SIGINT))
        part = run(tmp_path / "part", all_options())
    assert len(read_metrics(part)) < 12
    train(resume=part, progress="quiet")
    assert weights_of(part) == weights_of(whole)
    rows, others = untimed_metrics(whole), untimed_metrics(part)
    for row in (*rows, *others):
        assert sum(row["loss_terms"]) == pytest.approx(row["loss"], rel=1e-6)
        assert len(row["loss_terms"]) == 4
        assert 0 < row["confidence"] <= 1
    assert rows == others
    assert rows[-1]["validation_loss"] < rows[0]["validation_loss"]
    assert len({row["learning_rate"] for row in rows}) > 1


def test_evaluation_has_the_loss_of_training_and_the_confidence(whole: Path) -> None:
    best = min(read_metrics(whole), key=lambda row: row["validation_loss"])
    evaluation = netdesc.evaluate(whole, "validation")
    assert evaluation.loss == pytest.approx(best["validation_loss"], rel=1e-6)
    assert evaluation.score.confidence == best["validation_confidence"]


def test_balanced_weights_are_counted_in_the_training_samples(tmp_path: Path) -> None:
    """Of labels of steps, in the steps that count; the lock trains to the same bits."""
    labels, split = np.zeros((60, 12), int), np.arange(60) // 40
    labels[30:], labels[:, :4] = 1, 2
    document = classify_document(training={"epochs": 2})
    plain = {"type": "spike_rate", "window_steps": 3, "skip_steps": 4}
    document["loss"] = [plain, plain | {"class_weights": "balanced"}]
    first = run(tmp_path, document, labels=labels, split=split)
    lock = netdesc.load(first / "network.lock.json")
    assert lock.document.losses[1].class_weights == (320 / (2 * 240), 320 / (2 * 80), 1.0)
    assert lock.origins["/loss/1/class_weights/0"] == "found"
    again = train(lock, run_dir=tmp_path / "again", engine="reference", progress="quiet").path
    assert weights_of(again) == weights_of(first)
    best = read_record(first)["best"]["validation_loss"]
    assert netdesc.evaluate(first, "validation").loss * 20 == pytest.approx(best)
    document["loss"], data = document["loss"][1], {"train": (samples(60)[0] > 1, labels)}
    data |= {"encoding": {"type": "rate"}}
    evaluation = netdesc.evaluate(document | {"data": None}, data=data)
    assert evaluation.loss > 0  # which needs the weights


def multi_hot_document(**loss: Any) -> dict[str, Any]:
    document = classify_document(data={"multi_hot": "hot"}, training={"epochs": 15})
    document["neurons"] = {"cuba": LEARNING}
    return document | {"loss": {"type": "spike_moid", "alpha": 0.1, "theta": 0.2} | loss}


def test_multi_hot_labels_are_learnt(tmp_path: Path) -> None:
    _, labels = samples(60)
    hot = np.eye(CLASSES)[labels] + np.eye(CLASSES)[(labels + 1) % CLASSES]
    rows = read_metrics(run(tmp_path, multi_hot_document(), hot=hot))
    assert rows[-1]["validation_loss"] < 0.5 * rows[0]["validation_loss"]
    assert rows[-1]["accuracy"] > rows[0]["accuracy"]
    best = min(rows, key=lambda row: row["validation_loss"])
    found = netdesc.evaluate(tmp_path / "run", "validation")
    assert (found.score.accuracy, found.judged) == (best["validation_accuracy"], "samples")
    by_step = multi_hot_document(over="each_step", theta=0.0)
    rows = read_metrics(run(tmp_path / "steps", by_step, hot=np.repeat(hot[:, None], 12, 1)))
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert netdesc.evaluate(tmp_path / "steps/run").judged == "steps"
    document = multi_hot_document() | {"data": None}
    arrays = {"train": (samples(60)[0], 2 * hot), "encoding": {"type": "rate"}, "range": (0, 4)}
    with pytest.raises(DataError, match=r"multi_hot\[0, 0\] is 2"):
        netdesc.train(document, data=arrays)


LOSS = {"type": "mean_squared_error", "skip_steps": 2}
STEPS, COUNT = 20, 24
RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(COUNT, STEPS, 2))
TARGETS = INPUTS.mean(1)[:, :1] + 0.3
SPLIT = np.arange(COUNT) % 3


def document(over: str = "mean", readout: str = "cuba") -> dict[str, Any]:
    cuba = {"type": "cuba", "threshold": 0.5, "current_decay": 1, "voltage_decay": 0.1}
    layers = [
        {"name": name, "type": "dense", "units": units, "neuron": neuron, "weight_scale": 4}
        for name, units, neuron in (("hidden", 16, "cuba"), ("output", 1, readout))
    ]
    named = {"path": "data.npz", "targets": "targets", "split": "split"}
    optimizer = {"type": "adam", "learning_rate": 0.01}
    return sample_document(
        [2],
        layers,
        time={"steps": STEPS},
        data={"type": "arrays", "encoding": {"type": "series"}} | named,
        neurons={"cuba": cuba, "sum": {"type": "integrator", "voltage_decay": 0.2}},
        loss=LOSS | {"over": over},
        training={"epochs": 3, "batch_size": 4, "optimizer": optimizer},
    )


def write(folder: Path, over: str = "mean", readout: str = "cuba", **arrays: Any) -> Path:
    arrays = {"inputs": INPUTS, "targets": TARGETS, "split": SPLIT} | arrays
    np.savez(folder / "data.npz", **arrays)
    (folder / "network.json").write_text(json.dumps(document(over, readout)))
    return folder / "network.json"


def losses(run: Path) -> list[dict[str, float]]:
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{key: row[key] for key in ("loss", "validation_loss")} for row in rows]


@pytest.mark.parametrize("readout", ["cuba", "sum"])
@use_engine("reference")
def test_a_run_from_a_file_and_from_memory(tmp_path: Path, readout: str) -> None:
    path = write(tmp_path, readout=readout)
    options = {"progress": "quiet", "engine": "reference"}
    run = netdesc.train(path, run_dir=tmp_path / "run", **options)
    parts = {
        name: (INPUTS[part::3], TARGETS[part::3])
        for part, name in enumerate(("train", "validation", "test"))
    }
    data = parts | {"encoding": {"type": "series"}}
    in_memory = {key: value for key, value in document("mean", readout).items() if key != "data"}
    netdesc.train(in_memory, run_dir=tmp_path / "memory", data=data, **options)
    assert losses(tmp_path / "run") == losses(tmp_path / "memory")

    result = netdesc.evaluate(run)
    assert (result.part, result.score, result.matched) == ("test", None, None)
    errors = result.errors
    assert errors.root_mean_squared_error**2 == pytest.approx(result.loss, rel=1e-5)
    of_state = netdesc.evaluate(in_memory | {"loss": LOSS | {"signal": "v"}}, data=data)
    assert of_state.errors.root_mean_squared_error**2 == pytest.approx(of_state.loss, rel=1e-5)
    compiled = netdesc.compile(run)
    compiled.model.eval()
    real = np.rint(64 * INPUTS[2::3]) / 64
    with torch.no_grad():
        output_TBN = compiled.model(torch.tensor(real, dtype=torch.float32).transpose(0, 1))
    values, goals = output_TBN.numpy()[2:].mean(0), TARGETS[2::3]
    relative = 2 * np.abs(values - goals) / (np.abs(values) + np.abs(goals))
    assert errors.smape == pytest.approx(relative.mean(), rel=1e-5)
    printed = CliRunner().invoke(evaluate, [str(tmp_path / "run")], obj=Output()).output
    assert "sMAPE" in printed

    page = run.report_path.read_text("utf-8")
    figures = [json.loads(each) for each in re.findall(r'"plot-spec">(.*?)</script>', page)]
    curves = next(each["data"] for each in figures if each["data"][0]["name"] == "target")
    curves = {each["name"]: each["y"] for each in curves}
    assert curves["target"] == pytest.approx([TARGETS[1, 0]] * STEPS, rel=1e-4)
    assert (set(curves["output"]) <= {0, 1}) == (readout == "cuba")
    assert ("Sample 1: output" in page) == (readout == "cuba")
    assert "they are saturated" not in page
    assert "Spike coincidence" not in page


def test_targets_of_steps_are_compared_step_by_step(tmp_path: Path) -> None:
    path = write(tmp_path, "each_step", targets=np.repeat(TARGETS[:, None], STEPS, axis=1))
    run = netdesc.train(path, run_dir=tmp_path / "run", progress="quiet")
    loss = netdesc.evaluate(run).loss
    write(tmp_path, "each_step")
    of_samples = netdesc.train(path, run_dir=tmp_path / "other", progress="quiet")
    assert losses(tmp_path / "run") == losses(tmp_path / "other")
    assert netdesc.evaluate(of_samples).loss == loss
