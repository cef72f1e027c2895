"""The page of a sweep: what it says of trials, and that no sweep is too small or odd for it."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.sweep_tables import DECAY, KIND, RATE, UNITS, sweep_table, trial, whole_sweep

from netdesc.report.sweep_page import SweepPage, write_sweep_report
from netdesc.report.tables import Link
from netdesc.runs.sweep_table import SweepTable


def page_of(table: SweepTable) -> SweepPage:
    return SweepPage(table, table.folder / "sweep.html")


def test_the_front_and_the_best_so_far_are_drawn(tmp_path: Path) -> None:
    page = page_of(whole_sweep(tmp_path))
    assert [t.number for t in page.ranked] == [1, 7, 0, 2]
    assert [t.number for t in page.best] == [1, 0]
    trials, front = page.front.data
    assert (trials["x"], trials["y"]) == ([300, 300, 100, 200], [0.9, 0.9, 0.8, 0.7])
    assert (front["x"], front["y"]) == ([300, 100], [0.9, 0.8])
    accuracy, spikes = ([*zip(p.data[1]["x"], p.data[1]["y"], strict=True)] for p in page.histories)
    assert accuracy == [(0, 0.8), (1, 0.9), (2, 0.9), (7, 0.9), (7, 0.9)]
    assert spikes == [(0, 100), (1, 100), (2, 100), (7, 100), (7, 100)]


def test_axes_fit_their_values(tmp_path: Path) -> None:
    rows = [trial(n, (0.1 * n, 1.0)) for n in range(3)]
    axes = {axis.path: axis for axis in page_of(sweep_table(tmp_path, rows)).axes}
    assert [*axes] == ["variant", RATE, UNITS, KIND, DECAY, "validation accuracy",
                       "spikes per sample"]  # fmt: skip
    # The trials stand from the best on: 2, 1, 0.
    assert axes[RATE].heights == pytest.approx([1, 0.5, 0]), "logarithmic"
    assert axes[UNITS].heights == pytest.approx([1, 0.5, 0])
    assert axes[KIND].heights == pytest.approx([1 / 6, 0.5, 5 / 6])
    assert [*axes[KIND].ticks.values()] == ["steps", "constant", "cosine"]
    assert axes[DECAY].heights == [-0.1, 0.5, -0.1], "other variants have no such value"
    assert axes[DECAY].ticks == {-0.1: "–", 0.5: "0.5"}
    assert axes["spikes per sample"].heights == [0.5] * 3


def test_curves_and_documents_are_those_of_the_runs(tmp_path: Path) -> None:
    table = whole_sweep(tmp_path, objectives=(("validation_loss", False),))
    page = page_of(table)
    names = [curve["name"] for curve in page.curves.data]
    assert names == ["trial 2", "trial 0", "trial 1"], "the lowest is the best with one objective"
    assert [len(curve["x"]) for curve in page.curves.data] == [7, 5, 6]
    assert page.curves.data[0]["y"][:2] == [120, 60]
    assert ["epochs", "32", "30", "31"] in [row[:4] for row in page.differences.rows]
    (tmp_path / "trials/0000/seed0/metrics.jsonl").write_text("damaged\n")
    (tmp_path / "trials/0001/seed0/run.json").write_text("{")
    page = page_of(table)
    assert [curve["name"] for curve in page.curves.data] == ["trial 2"]
    assert page.differences.rows[0][1:] != [], "trials 2 and 0 can be compared"


def test_trials_lead_to_their_runs(tmp_path: Path) -> None:
    table = whole_sweep(tmp_path)
    (tmp_path / "trials/0001/seed0/report.html").touch()
    rows = {str(row[0]): row for row in page_of(table).trials.rows}
    assert len(rows) == 8
    addresses = {key: row[0].address for key, row in rows.items() if isinstance(row[0], Link)}
    assert addresses == {
        "0": "./trials/0000/seed0",
        "1": "./trials/0001/seed0/report.html",
        "2": "./trials/0002/seed0",
    }
    assert rows["0"][1:5] == ["done, on the front", "80.0 % ± 1.0 %", "100 ± 5", "cuba"]
    assert rows["4"][1] == "failed"


def test_names_of_a_document_are_only_text(tmp_path: Path) -> None:
    write_sweep_report(whole_sweep(tmp_path, name="<s>"), tmp_path / "sweep.html")
    text = (tmp_path / "sweep.html").read_text()
    for hostile in ("<i>alif", "<img src=x", "<b>.decay", "<s>"):
        assert hostile not in text
    assert "&lt;i&gt;alif" in text


@pytest.mark.parametrize(
    "trials",
    [
        [],
        [trial(4, status="failed")],
        [trial(0, (math.nan, 1.0), status="failed"), trial(1, status="running")],
        [trial(0, (0.5, 0.0))],
        [
            trial(n, (0.5, 1e300 * n), values={"x": [1, None, True][n]}, variant="")
            for n in range(3)
        ],
        [trial(n, (np.sin(n), 2.0**n), spreads=(0.1, 2.0)) for n in range(500)],
    ],
    ids=["none", "failed", "odd", "one", "mixed", "many"],
)
@pytest.mark.parametrize("count", [1, 2])
def test_every_sweep_has_a_page(tmp_path: Path, trials: list[Any], count: int) -> None:
    objectives = (("validation_accuracy", True), ("spikes_per_sample", False))
    trials = [replace(t, results=t.results and t.results[:count]) for t in trials]
    table = sweep_table(tmp_path, trials, objectives=objectives[:count], parameters=("x", RATE))
    write_sweep_report(table, tmp_path / "sweep.html")
    assert (tmp_path / "sweep.html").stat().st_size < 4 << 20
