"""Runs that learn classes: accuracy, confusion matrix, and reproducible random inputs."""

import json
import os
import signal
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from support.classify_task import (
    CELLS,
    CLASSES,
    STEPS,
    samples,
    write_arrays,
    write_classify_task,
    write_labelled_files,
)
from support.training_task import (
    read_metrics,
    read_record,
    train,
    untimed_metrics,
    weights_of,
    write_task,
)

import netdesc
from netdesc import losses
from netdesc.api.trained_run import Run
from netdesc.data.array_samples import ArraySamples
from netdesc.data.batches import Batches
from netdesc.data.encoding import build_code
from netdesc.data.samples import SampleSpec
from netdesc.description.models import Arrays
from netdesc.description.models.loss import SpikeMoid
from netdesc.graph import Classifier
from netdesc.losses import SILENT, SpikeMoidLoss
from netdesc.losses.classifier import judged_values
from netdesc.report import conclude
from netdesc.report.format import percent
from netdesc.report.page import Page
from netdesc.report.run import RunData
from netdesc.training.evaluate import ConfusionCounter, MultiHotCounter
from netdesc.training.outcome import Outcome
from netdesc.training.saver import Progress

CPU = torch.device("cpu")
Start = Callable[..., Outcome]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Trains the small task with some changes in the folder ``run`` of ``tmp_path``."""

    def run(to: str = "run", **changes: Any) -> Outcome:
        path = write_classify_task(tmp_path / "task", **changes)
        return train(netdesc.load(path), run_dir=tmp_path / to, progress="quiet")

    return run


RATE = {"type": "spike_rate", "true_rate": 0.6, "false_rate": 0.05}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"data": {"encoding": {"type": "latency"}}, "loss": RATE},
        {"loss": {"type": "spike_max", "mode": "softmax"}, "classifier": {"type": "rate"}},
        {"classifier": {"type": "moving_window", "window_steps": 4}},
    ],
    ids=["max", "latency, rate", "softmax", "classes by a window"],
)
def test_classes_are_learnt(start: Start, changes: dict[str, Any]) -> None:
    run = start(training={"epochs": 30}, **changes)
    rows, record = read_metrics(run.path), read_record(run.path)
    assert max(row["validation_accuracy"] for row in rows[-5:]) > 0.8
    assert max(row["accuracy"] for row in rows[-5:]) > 0.8
    assert rows[0]["accuracy"] < 0.8
    best = max(rows, key=lambda row: (row["validation_accuracy"], -row["validation_loss"]))
    assert run.best == record["best"] == best
    for row in rows:
        confusion = np.array(row["confusion"])
        assert confusion.shape == (CLASSES, CLASSES)
        assert confusion.sum() + row["undecided"] == 15  # the validation samples
        assert np.trace(confusion) / 15 == pytest.approx(row["validation_accuracy"])
    assert "accuracy" in (run.path / "train.log").read_text()


@pytest.mark.parametrize(
    ("best", "key"),
    [
        ("loss", lambda row: -row["loss"]),
        ("validation_confidence", lambda row: row["validation_confidence"]),
        ("accuracy", lambda row: (row["accuracy"], -row["validation_loss"])),
    ],
)
def test_the_weights_of_the_best_epoch_by_a_metric_are_kept(
    start: Start, best: str, key: Callable[[dict[str, Any]], Any]
) -> None:
    run = start(training={"epochs": 30, "best": best})
    rows = read_metrics(run.path)
    assert run.best == max(rows, key=key) != rows[-1]
    kept = netdesc.evaluate(run.path, "validation")
    assert kept.loss == pytest.approx(run.best["validation_loss"] / 15, rel=1e-6)
    assert kept.score.accuracy == run.best["validation_accuracy"]
    data = RunData(run.path)
    assert (data.metrics.best, data.metrics.selection_metric) == (run.best["epoch"], best)
    assert f"best {best.replace('_', ' ')}" in run.message


def test_the_test_samples_are_measured_once_with_the_best_weights(start: Start) -> None:
    run = start(training={"epochs": 8})
    test, measured = read_record(run.path)["test"], netdesc.evaluate(run.path, "test")
    assert test["epoch"] == run.best["epoch"]
    assert (test["accuracy"], test["confusion"]) == (
        measured.score.accuracy,
        measured.score.confusion,
    )
    shown = Run.of(run).test
    assert (shown["loss"], shown["epoch"]) == (pytest.approx(measured.loss), test["epoch"] + 1)
    lines = conclude(run.path)
    assert f"{percent(test['accuracy'])} of the 15 test samples" in lines["result"]
    assert Page(RunData(run.path)).headline == lines["result"]


@pytest.mark.parametrize(("labels", "best"), [(True, "validation_accuracy"), (False, "loss")])
def test_a_lock_holds_the_metric_of_the_best_epoch(tmp_path: Path, labels: bool, best: str) -> None:
    task = (write_classify_task if labels else write_task)(tmp_path)
    run = train(netdesc.load(task, {"training.epochs": 2}), run_dir=tmp_path / "run")
    lock = json.loads((run.path / "network.lock.json").read_text())
    assert lock["training"]["best"] == best
    # The lock of an older netdesc does not name it, and means the loss.
    del lock["training"]["best"]
    (tmp_path / "run/old.json").write_text(json.dumps(lock))
    again = train(netdesc.load(tmp_path / "run/old.json"), run_dir=tmp_path / "again")
    lock = json.loads((again.path / "network.lock.json").read_text())
    assert lock["training"]["best"] == ("validation_loss" if labels else "loss")


def test_a_checkpoint_of_an_older_netdesc_keeps_its_best_epoch() -> None:
    old = {"epoch": 9, "best_loss": 4.0, "best_epoch": 6, "best_accuracy": 0.5}
    progress = TypeAdapter(Progress).validate_python(old | {"last": {"validation_loss": 5.0}})
    assert progress.best == {"epoch": 6, "validation_loss": 4.0}
    assert TypeAdapter(Progress).validate_python(asdict(progress)) == progress


def test_a_best_epoch_by_a_metric_that_there_is_not(tmp_path: Path) -> None:
    """No training begins, whether the document, its arrays or arrays in memory say it."""
    path = write_classify_task(tmp_path, training={"best": "validation_loss"})
    write_arrays(tmp_path / "data.npz", split=np.repeat([0, 2], 30))
    values, labels = samples(60)
    overrides: list[tuple[Any, Any, Any]] = [
        ({}, None, r"classes\.json:.*ND284"),
        ({"data.split": None}, None, r"classes\.json:.*ND284"),
        ({}, {"train": (values, labels), "test": (values, labels)}, "no validation samples"),
    ]
    for changes, data, message in overrides:
        with pytest.raises(ValueError, match=f"(?s){message}.*accuracy or loss or confidence"):
            netdesc.train(netdesc.load(path, changes), data=data, run_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_label_a_step(tmp_path: Path) -> None:
    """The second half of a sample has another class."""
    values, labels = samples(60)
    spikes = np.stack([values, np.roll(values, 3, axis=1)], axis=1).repeat(20, axis=1) > 1
    by_step = np.stack([labels, (labels + 1) % CLASSES], axis=1).repeat(20, axis=1)
    changes = {
        "time": {"steps": 40},
        "data": {"encoding": {"type": "spikes"}},
        "training": {"epochs": 30},
        "loss": RATE | {"window_steps": 3},
    }
    path = write_classify_task(tmp_path / "task", **changes)
    write_arrays(path.with_name("data.npz"), inputs=spikes, labels=by_step)
    run = train(netdesc.load(path), run_dir=tmp_path / "run", progress="quiet")
    row = read_metrics(run.path)[-1]
    assert np.sum(row["confusion"]) + row["undecided"] == 15 * 40
    assert read_record(run.path)["labels_by_step"] is True
    assert RunData(run.path).record.samples == {"train": 30, "validation": 15, "test": 15}
    measured = netdesc.evaluate(run.path, "validation")
    assert (measured.judged, measured.samples) == ("steps", 15)
    assert row["validation_accuracy"] > 0.6  # the layers' delays cost some; chance is a third


def test_labels_of_spike_files(tmp_path: Path) -> None:
    """Without validation the training samples are counted."""
    path = write_labelled_files(tmp_path, 9, training={"epochs": 60})
    row = read_metrics(train(netdesc.load(path), run_dir=tmp_path / "run", progress="quiet").path)[
        -1
    ]
    assert row["accuracy"] == 1
    assert row["confusion"] == [[3, 0, 0], [0, 3, 0], [0, 0, 3]]
    assert "validation_accuracy" not in row


# Chance


def rate_samples(count: int = 20) -> ArraySamples:
    values, labels = samples(count)
    data = {"type": "arrays", "path": "a.npz", "encoding": {"type": "rate"}, "range": (0, 4)}
    code = build_code(Arrays.model_validate(data), STEPS, 0, CELLS)
    spec = SampleSpec(STEPS, 1.0, (CELLS,), (CLASSES,), CLASSES)
    rows = np.arange(count)
    return ArraySamples(code, spec, code.compress(values), labels.astype(np.int32), rows, rows)


def inputs(batches: Any) -> torch.Tensor:
    return torch.cat([batch.input_TBN for batch in batches], dim=1)


@given(size=st.one_of(st.none(), st.integers(1, 25)), seed=st.integers(0, 2**63 - 1))
def test_inputs_in_order_are_drawn_once_for_all_batch_sizes(size: int | None, seed: int) -> None:
    whole = inputs(Batches(rate_samples(), None, CPU, seed).in_order())
    batches = Batches(rate_samples(), size, CPU, seed)
    assert torch.equal(inputs(batches.in_order()), whole)
    assert torch.equal(inputs(batches.in_order()), whole)


@pytest.mark.parametrize("size", [None, 7])
def test_training_samples_are_drawn_again_in_every_epoch(size: int | None) -> None:
    batches = Batches(rate_samples(), size, CPU, 3)
    epochs = [inputs(batch for (batch,) in batches.shuffled(epoch)) for epoch in (0, 1, 0)]
    assert torch.equal(epochs[0], epochs[2])
    by_sample = [epoch.sum((0, 2)).sort().values for epoch in epochs]
    assert not torch.equal(by_sample[0], by_sample[1])  # not only in another order
    other = Batches(rate_samples(), size, CPU, 4)
    assert not torch.equal(inputs(batch for (batch,) in other.shuffled(0)), epochs[0])
    assert not torch.equal(inputs(batches.in_order()), epochs[0])


def test_a_resumed_run_with_random_inputs_is_bit_identical(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stops between epochs of one batch."""
    changes = {"training": {"epochs": 6, "batch_size": None}}
    uninterrupted = start("uninterrupted", **changes)
    shuffled = Batches.shuffled

    def stop_in_the_third(self: Batches, epoch: int, first: int = 0):
        if epoch == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return shuffled(self, epoch, first)

    monkeypatch.setattr(Batches, "shuffled", stop_in_the_third)
    assert start("halted", **changes).status == "interrupted"
    monkeypatch.setattr(Batches, "shuffled", shuffled)
    again = train(resume=tmp_path / "halted", progress="quiet")
    assert again.status == "done"
    assert again.best | {"seconds": 0} == uninterrupted.best | {"seconds": 0}
    assert weights_of(again.path) == weights_of(uninterrupted.path)
    assert untimed_metrics(again.path) == untimed_metrics(uninterrupted.path)


# Bad data leaves nothing behind


def test_bad_arrays_are_refused_before_a_run_begins(tmp_path: Path) -> None:
    """The checks of the document read only small arrays; training reads all."""
    path = write_classify_task(tmp_path / "task")
    description = netdesc.load(path)
    bad = {
        r"labels\[1\] is 3; the network has 3 outputs": {
            "labels": np.full(60, 3) * (np.arange(60) > 0)
        },
        r"leaves none of 60 samples": {"split": np.ones(60, int)},
        r"inputs\[0, 0\] is nan": {"inputs": np.full((60, CELLS), np.nan)},
    }
    for message, changes in bad.items():
        write_arrays(path.with_name("data.npz"), **changes)
        with pytest.raises(netdesc.DescriptionError, match=message):
            train(description, run_dir=tmp_path / "run", progress="quiet")
        assert not (tmp_path / "run").exists()


# Scores


def random_outputs(seed: int, batch: int, classes: int) -> torch.Tensor:
    """Spikes in which some samples are silent."""
    rng = np.random.default_rng(seed)
    spikes = rng.random((10, batch, classes)) < 0.2
    spikes[:, rng.random(batch) < 0.3] = False
    return torch.from_numpy(spikes.astype(np.float32))


@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    classes=st.sampled_from([1, 2, 5, 64, 65]),
    by_step=st.booleans(),
    window=st.one_of(st.none(), st.integers(1, 12)),
    skip=st.integers(0, 9),
)
def test_a_score_counts_predictions(seed, sizes, classes, by_step, window, skip) -> None:
    classifier = losses.OutputClassifier(Classifier(window, skip_steps=skip))
    counter = ConfusionCounter(classifier, classes, ("output", "output"), CPU, top_k=2)
    rng, in_top = np.random.default_rng(seed), 0
    confusion = np.zeros((classes, classes), int)
    undecided, total, sure = [0] * classes, 0, []
    for number, batch in enumerate(sizes):
        output = random_outputs(seed + number, batch, classes)
        labels = rng.integers(0, classes, (10, batch) if by_step else batch)
        counter.add(output, torch.from_numpy(labels))
        predictions = classifier(output).numpy()
        sure.append(classifier.confidence(output).numpy().ravel())
        judged = torch.from_numpy(labels[skip * by_step :])
        values = judged_values(classifier.values(output), judged).reshape(-1, classes).numpy()
        for value, label in zip(values, judged.flatten().tolist(), strict=True):
            in_top += value[label] > 0 and label in np.argsort(-value, kind="stable")[:2]
        for sample in range(batch):
            counted = labels[skip:, sample] if by_step else labels[sample]
            pairs = decided(predictions[..., sample], counted, classes)
            for label, prediction in pairs:
                total += 1
                if prediction == SILENT:
                    undecided[label] += 1
                else:
                    confusion[label, prediction] += 1
    score = counter.score(counter.pop_counts().tolist())
    assert score.accuracy == pytest.approx(np.trace(confusion) / total)
    assert score.confidence == pytest.approx(np.concatenate(sure).mean())
    assert score.undecided == sum(undecided)
    assert score.undecided_by_label == (undecided if classes <= 64 else None)
    assert score.confusion == (confusion.tolist() if classes <= 64 else None)
    assert score.top_k_accuracy == pytest.approx(in_top / total)
    assert score.accuracy <= score.top_k_accuracy
    if classes <= 64:
        right, sizes = np.diag(confusion), (confusion.sum(0), confusion.sum(1) + undecided)
        scores = score.precision_by_class, score.recall_by_class
        for found, size in zip(scores, sizes, strict=True):
            assert found == pytest.approx(np.divide(right, size, where=size > 0, out=right * 0.0))
        f1 = np.divide(2 * right, sum(sizes), where=sum(sizes) > 0, out=right * 0.0)
        assert score.f1_by_class == pytest.approx(f1)
        assert score.macro_f1 == pytest.approx(f1[sum(sizes) > 0].mean())
    assert counter.pop_counts().sum() == 0


@pytest.mark.parametrize("by_step", [False, True])
def test_a_prediction_of_multi_hot_labels_is_correct_if_all_labels_are(by_step: bool) -> None:
    window = 4 if by_step else None
    section = SpikeMoid(type="spike_moid", alpha=0.1, theta=0.25, window_steps=window)
    counter = MultiHotCounter(SpikeMoidLoss(section), ("output", "v"), CPU)
    sure, right = [], []
    for seed in range(20):
        output = random_outputs(seed, 5, 3)
        windows = [output[max(0, t - 3) : t + 1].sum(0) / 4 for t in range(10)]
        rate = torch.stack(windows) if by_step else output.mean(0, keepdim=True)
        probability = torch.sigmoid((rate - 0.25) / 0.1)
        labels = (probability[-1] > 0.5).float()
        labels[0, 1] = 1 - labels[0, 1]
        counter.add(output, labels)
        right.append(((probability > 0.5) == labels.bool()).all(-1).double().mean())
        sure.append(torch.maximum(probability, 1 - probability).prod(-1).mean())
    score = counter.score(counter.pop_counts().tolist())
    assert score.accuracy == pytest.approx(np.mean(right))
    assert 0 < score.accuracy < 1
    assert score.confidence == pytest.approx(np.mean(sure), rel=1e-4)


def decided(predictions: np.ndarray, labels: np.ndarray, classes: int) -> list[tuple[int, int]]:
    """Pairs of label and prediction of one sample; one a step if labels are."""
    if labels.ndim:
        steps = np.broadcast_to(predictions, labels.shape)
        return [(int(label), int(each)) for label, each in zip(labels, steps, strict=True)]
    if predictions.ndim:
        votes = [int((predictions == each).sum()) for each in range(classes)]
        return [(int(labels), votes.index(max(votes)) if any(votes) else SILENT)]
    return [(int(labels), int(predictions))]
