"""A run that learns target values: from a file or from memory, with evaluation and report."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from support.exchange_samples import document as sample_document

import netdesc
from netdesc.cli.evaluate import evaluate
from netdesc.cli.output import Output
from netdesc.kernels.engines import use_engine

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


@pytest.mark.filterwarnings("ignore:no network.net")
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
    assert errors is not None
    assert errors.root_mean_squared_error**2 == pytest.approx(result.loss, rel=1e-5)
    of_state = netdesc.evaluate(in_memory | {"loss": LOSS | {"signal": "v"}}, data=data)
    assert of_state.errors is not None
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
