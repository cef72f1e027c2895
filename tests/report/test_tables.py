"""The tables of the report: what was trained, how long, and what became of the weights."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from support.report_samples import HIDDEN, document, page_of, weights, write_run

from netdesc.neurons.models.fields import DEFAULT_PEAK, DEFAULT_SHAPE, DEFAULT_WIDTH
from netdesc.report.page import Page
from netdesc.report.run import RunData
from netdesc.report.weights import open_weights


def test_a_share_of_no_spikes_is_no_number(tmp_path: Path) -> None:
    nothing = {f"output_{k}": np.empty((0, 2), np.int32) for k in range(2)}
    built = page_of(tmp_path, arrays=nothing).coincidences
    assert built.rows[0][1:] == ["0 of 80", "0 %", "0 of 0", "–"]


def test_data_loss_and_training_are_listed(tmp_path: Path) -> None:
    made = document()
    made["training"] |= {"batch_size": 8, "schedule": {"type": "step", "every_epochs": 9}}
    made["training"]["schedule"]["factor"] = 0.5
    made["neurons"]["plain"]["tau_grad"] = 0.1
    page = page_of(tmp_path, changes=made, samples={"train": 1200, "validation": 0})
    cells = dict(page.experiment.rows)
    texts = {name: cells.pop(name) for name in ("Data", "Samples", "Batch size", "Seed")}
    assert texts == {
        "Data": "input.bs1\ntarget.bs1", "Samples": "train 1,200", "Batch size": "8", "Seed": "0",
    }  # fmt: skip
    assert {name: json.loads(value) for name, value in cells.items()} == {
        "Loss": made["loss"],
        "Surrogate gradient": {
            "plain": {"tau_grad": 0.1},
            "learning": {
                "surrogate": {
                    "width": DEFAULT_WIDTH / 2,
                    "peak": DEFAULT_PEAK * 2,
                    "shape": DEFAULT_SHAPE,
                }
            },
        },
        "Initial weights": {name: {"weight_scale": "auto"} for name in ("hidden", "output")},
        "Epochs": 30,
        "Optimizer": made["training"]["optimizer"],
        "Schedule": made["training"]["schedule"],
    }


def test_learnt_delays_are_in_steps(tmp_path: Path) -> None:
    made = document()
    made["layers"][0]["delay"] = {"learn": True, "max_steps": 4}
    folder = write_run(tmp_path / "run", changes=made)
    for path in (folder / "checkpoints").iterdir():
        tensors = weights(0) | {"layers.hidden.neuron.axonal.delay": np.ones(HIDDEN, np.float32)}
        save_file(tensors, path)
    change = Page(RunData(folder)).weight_change
    assert ["hidden", "delay in steps"] in [row[:2] for row in change.parameters.rows]
    titles = {
        each.layout[axis]["title"]["text"]
        for each in change.parameter_plots
        for axis in ("xaxis", "yaxis")
    }
    assert {"delay in steps", "values"} <= titles


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({}, "has no layers.hidden.synapse.weight"),
        (weights(0) | {"layers.hidden.synapse.weight": np.zeros((2, 2))}, r"shape \[2, 2\]"),
        (weights(0) | {"layers.hidden.neuron.current_decay": np.zeros(3)}, r"shape \[3\]"),
    ],
)
def test_foreign_weights_are_refused(tmp_path: Path, tensors: dict[str, Any], message: str) -> None:
    folder = write_run(tmp_path / "run")
    path = folder / "checkpoints" / "best.safetensors"
    save_file(tensors, path)
    page = Page(RunData(folder))
    (told,) = page.damage
    assert told.startswith(f"{path}: ")
    assert re.search(message, told)
    assert page.weight_change.weights.rows
    assert [row[3] for row in page.weight_change.weights.rows] == ["–", "–"]


def test_weights_with_a_norm_are_what_the_synapses_have(tmp_path: Path) -> None:
    """Each row is of the length of its gain, whatever its own; a row of zeros stays zero."""
    normed = document()["layers"]
    normed[0] |= {"weight_norm": True, "bias": True}
    folder = write_run(tmp_path / "run", changes={"layers": normed})
    tensors = weights(1)
    weight_UI = tensors["layers.hidden.synapse.weight"]
    weight_UI[3] = 0
    gain_U1 = np.arange(1, len(weight_UI) + 1, dtype=np.float32)[:, None]
    tensors["layers.hidden.synapse.gain"] = gain_U1
    tensors["layers.hidden.neuron.bias"] = gain_U1[:, 0]
    path = folder / "checkpoints" / "best.safetensors"
    save_file(tensors, path)
    with open_weights(path) as file:
        layer = RunData(folder).graph.neuron_layers[0]
        found_UI, learnt = file.synapses(layer), file.learnt(layer)
    assert learnt.keys() == {"current_decay", "voltage_decay", "bias"}
    assert learnt["bias"].tolist() == gain_U1[:, 0].tolist()
    assert "bias" in [row[1] for row in Page(RunData(folder)).weight_change.parameters.rows]
    lengths = np.linalg.norm(found_UI, axis=1)
    assert lengths[3] == 0
    assert np.delete(lengths, 3) == pytest.approx(np.delete(gain_U1[:, 0], 3))
    units = np.delete(weight_UI, 3, 0)
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    assert np.delete(found_UI / gain_U1, 3, 0) == pytest.approx(units, abs=1e-6)
