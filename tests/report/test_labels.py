"""Axes, curves and captions say what they show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.report_samples import activity, document, write_run

from netdesc.report.page import build_page
from netdesc.report.run import read_run


@pytest.mark.parametrize("is_graded", [False, True])
def test_rates_of_neurons_without_spikes_are_not_called_spikes(
    tmp_path: Path, is_graded: bool
) -> None:
    neuron = {"type": "integrator"} if is_graded else document()["neurons"]["plain"]
    changes = {"neurons": document()["neurons"] | {"plain": neuron}}
    folder = write_run(tmp_path / "run", classes=True, changes=changes)
    built = build_page(read_run(folder))
    hidden, output = (each.layout["xaxis"]["title"]["text"] for each in built.rate_histograms)
    assert hidden == "spikes per step"
    assert (output == "spikes per step") is not is_graded
    assert built.rate_plot is not None
    assert built.rate_plot.layout["yaxis"]["title"]["text"] == output


@pytest.mark.parametrize("units", [1, 2])
def test_a_single_target_and_its_output_have_different_colours(tmp_path: Path, units: int) -> None:
    (tmp_path / "a.npz").touch()
    made = document()
    made["layers"][1]["units"] = units
    changes = {
        "data": {"type": "arrays", "path": "a.npz", "targets": "targets"},
        "loss": {"type": "mean_squared_error"},
        "layers": made["layers"],
    }
    folder = write_run(tmp_path / "run", changes=changes)
    values = np.zeros((60, units), np.float32)
    arrays = {name: each for name, each in activity().items() if "output" not in name}
    arrays |= {
        "values_0": values, "goals_0": values, "frame_epochs": np.zeros(0, np.int32),
        "rate_output": np.zeros(units, np.float32),
    }  # fmt: skip
    for k in range(2):
        del arrays[f"target_{k}"]
    np.savez(folder / "activity.npz", **arrays)
    plot = build_page(read_run(folder)).samples[0].curves
    assert plot is not None
    colours = [each["line"]["color"] for each in plot.data]
    one, two = "var(--c1)", "var(--c2)"
    assert colours == ([one, two] if units == 1 else [one, one, two, two])


def test_undivided_losses_are_mentioned_only_where_losses_are_divided(tmp_path: Path) -> None:
    for name, samples in (("a", 1), ("b", 200)):
        folder = write_run(tmp_path / name / "run", samples={"train": samples})
        caption = build_page(read_run(folder)).training[0].caption
        assert ("undivided" in caption) is (samples > 1)
