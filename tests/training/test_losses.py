"""Runs with several losses, on hidden layers and states, and with all of training's options."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.classify_task import CLASSES, classify_document, samples, write_arrays
from support.training_task import at_epoch, read_metrics, train, untimed_metrics, weights_of

import netdesc
from netdesc.data.data_errors import DataError

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
    early = {"name": "early", "type": "dense", "units": CLASSES, "neuron": "cuba"}
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
    assert evaluation.score is not None
    assert evaluation.score.confidence == best["validation_confidence"]


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
    with pytest.raises(DataError, match="other numbers than 0 and 1"):
        netdesc.train(document, data=arrays)
