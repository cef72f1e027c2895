"""Files of a run that are incomplete or damaged: the report says so first and errs in no figure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.report_samples import metrics_row, write_run

from netdesc.report import write_report
from netdesc.report.page import build_page
from netdesc.report.run import read_run

BEST, LAST = 24, 29
"""Epochs from 0, of the run that ``ended`` makes."""


def ended(folder: Path, keep: list[int], *, classes: bool = False, **record: Any) -> Path:
    """A run of 30 epochs, the 25th the best, of whose metrics only ``keep`` is left."""
    rows = [metrics_row(epoch, classes=classes) for epoch in range(30)]
    watched = "validation_loss" if classes else "loss"
    for row in rows[BEST + 1 :]:
        row[watched] = 50.0
    best = {"epoch": BEST, watched: rows[BEST][watched]}
    if classes:
        best["validation_accuracy"] = rows[BEST]["validation_accuracy"]
    noted = {"best": best, "final": rows[LAST], "seconds": 7.0}
    path = write_run(folder / "run", classes=classes, **(noted | record))
    lines = [json.dumps(rows[epoch]) + "\n" for epoch in keep]
    (path / "metrics.jsonl").write_text("".join(lines))
    return path


@pytest.mark.parametrize("classes", [False, True])
@pytest.mark.parametrize("kept", [0, 12, 29])
def test_lost_lines_are_told_first_and_change_neither_best_nor_last(
    tmp_path: Path, kept: int, classes: bool
) -> None:
    whole = build_page(read_run(ended(tmp_path / "whole", list(range(30)), classes=classes)))
    assert whole.damage == []
    path = ended(tmp_path, list(range(kept)), classes=classes)
    run = read_run(path)
    page = build_page(run)
    (note,) = page.damage
    assert note.startswith(
        f"metrics.jsonl lacks {30 - kept} of 30 epochs; the first is epoch {kept + 1}."
    )
    losses = ["Best validation loss", "Validation accuracy"] if classes else ["Best loss"]
    for name in ("Epochs", *losses):
        assert page.facts[name] == whole.facts[name], name
    assert page.facts["Training time"] == "7 s"
    assert run.metrics.best == BEST
    assert run.metrics.columns["loss"][LAST] == metrics_row(LAST)["loss"] if classes else 50
    assert page.headline == whole.headline
    # The matrix of another epoch is not shown as that of the best.
    assert (page.confusion is not None) is (classes and kept > BEST)
    told: list[str] = []
    text = write_report(path, warn=told.append).read_text()
    assert told == page.damage
    assert text.index("metrics.jsonl lacks") < text.index('class="pill"')
    assert "Nothing was trained" not in text


def test_lines_lost_in_the_middle_are_told(tmp_path: Path) -> None:
    keep = [*range(4), *range(9, 30)]
    page = build_page(read_run(ended(tmp_path, keep, status="running", epochs_done=0)))
    assert page.damage[0].startswith("metrics.jsonl lacks 5 of 30 epochs; the first is epoch 5.")
    assert page.facts["Best loss"] == "4"


def test_a_run_at_work_lacks_nothing_yet(tmp_path: Path) -> None:
    """Its record is as old as its last sitting."""
    path = ended(tmp_path, list(range(4)), status="running", epochs_done=9)
    assert build_page(read_run(path)).damage == []


def test_records_that_do_not_agree_are_told(tmp_path: Path) -> None:
    page = build_page(read_run(ended(tmp_path, list(range(30)), best={"epoch": 3, "loss": 9.0})))
    assert page.damage == [
        "The best epoch is 4 in run.json, but 25 in metrics.jsonl: one of the two files was "
        "changed."
    ]


@pytest.mark.parametrize(
    ("figures", "told"),
    [
        ({"validation_accuracy": 5}, "validation accuracy in 1 line, first in epoch 25"),
        ({"accuracy": -0.1}, "accuracy in 1 line, first in epoch 25"),
        ({"validation_loss": -1e308}, "validation loss in 1 line, first in epoch 25"),
        ({"validation_loss": 1e308}, "validation loss in 1 line, first in epoch 25"),
        ({"loss": -1.0}, "loss in 1 line, first in epoch 25"),
        ({"seconds": -5}, "seconds in 1 line, first in epoch 25"),
        ({"learning_rate": -1e-3}, "learning rate in 1 line, first in epoch 25"),
        ({"confusion": [[1, 2], [3, 4]], "undecided_by_label": [0, 0]},
         "confusion in 1 line, first in epoch 25"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_left_out_and_told(
    tmp_path: Path, figures: dict[str, Any], told: str
) -> None:
    path = ended(tmp_path, list(range(30)), classes=True, status="running")
    rows = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    rows[BEST] |= figures
    (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = read_run(path)
    assert run.damage == [
        f"metrics.jsonl is damaged. The report leaves out these impossible values: {told}."
    ]
    for name in figures.keys() - {"confusion", "undecided_by_label"}:
        assert np.isnan(run.metrics.columns[name][BEST])
    page = build_page(run)
    assert (page.confusion is None) is ("confusion" in figures)
    assert page.facts["Best validation loss"] == ("5" if "validation_loss" in figures else "4.8")
    assert "500" not in page.facts["Validation accuracy"]


def test_the_record_stands_in_for_what_cannot_be(tmp_path: Path) -> None:
    path = ended(tmp_path, list(range(30)), classes=True)
    rows = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    rows[BEST] |= {"validation_loss": 1e308, "validation_accuracy": 7}
    (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    page = build_page(read_run(path))
    assert len(page.damage) == 1
    assert page.facts["Best validation loss"] == "4.8"
    assert page.facts["Validation accuracy"] == "74.4 %"
