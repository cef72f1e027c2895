"""The tables of the report: what was trained, how long, and what became of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from support.report_samples import HIDDEN, activity, document, weights, write_run

from netdesc.report.page import build_page
from netdesc.report.run import read_run
from netdesc.report.tables import MAX_FILES


def test_a_share_of_no_spikes_is_no_number(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    nothing = {f"output_{k}": np.empty((0, 2), np.int32) for k in range(2)}
    np.savez(folder / "activity.npz", **activity() | nothing)
    built = build_page(read_run(folder)).coincidences
    assert built is not None
    assert built.rows[0][1:] == ["0 of 80", "0 %", "0 of 0", "–"]


def test_data_loss_and_training_are_listed(tmp_path: Path) -> None:
    made = document()
    made["training"] |= {"batch_size": 8, "schedule": {"type": "step", "every_epochs": 9}}
    made["training"]["schedule"]["factor"] = 0.5
    folder = write_run(tmp_path / "run", changes=made, samples={"train": 1200, "validation": 0})
    cells = dict(build_page(read_run(folder)).experiment.rows)
    texts = {name: cells.pop(name) for name in ("Data", "Samples", "Batch size", "Seed")}
    assert texts == {
        "Data": "input.bs1\ntarget.bs1", "Samples": "train 1,200", "Batch size": "8", "Seed": "0",
    }  # fmt: skip
    assert {name: json.loads(value) for name, value in cells.items()} == {
        "Loss": made["loss"],
        "Surrogate gradient": {
            name: {"tau_grad": 1.0, "scale_grad": 1.0} for name in ("learning", "plain")
        },
        "Epochs": 30,
        "Optimizer": made["training"]["optimizer"],
        "Schedule": made["training"]["schedule"],
    }
    data = {"type": "spike_files", "train": 20 * made["data"]["train"]}
    for number, pair in enumerate(data["train"]):
        data["train"][number] = pair | {"input": {"path": f"{number}.bs1"}}
        (tmp_path / f"{number}.bs1").touch()
    many = write_run(tmp_path / "many", changes=made | {"data": data})
    cells = dict(build_page(read_run(many)).experiment.rows)
    assert cells["Data"].count("\n") == MAX_FILES
    assert cells["Data"].endswith("…")


def test_learnt_delays_are_in_steps(tmp_path: Path) -> None:
    made = document()
    made["layers"][0]["delay"] = {"learn": True, "max_steps": 4}
    folder = write_run(tmp_path / "run", changes=made)
    for path in (folder / "checkpoints").iterdir():
        tensors = weights(0) | {"layers.hidden.neuron.axonal.delay": np.ones(HIDDEN, np.float32)}
        save_file(tensors, path)
    change = build_page(read_run(folder)).weight_change
    assert ["hidden", "delay in steps"] in [row[:2] for row in change.parameters.rows]
    titles = {
        each.layout[axis]["title"]["text"]
        for each in change.parameter_plots
        for axis in ("xaxis", "yaxis")
    }
    assert {"delay in steps", "values"} <= titles
