"""Files of a run that are incomplete or damaged: the report says so first and errs in no figure."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from support.report_samples import metrics_row, write_run

from netdesc.report import write_report
from netdesc.report.page import build_page
from netdesc.report.run import read_run
from netdesc.runs.errors import RunError
from netdesc.runs.run_record import EpochMetrics

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


@pytest.mark.parametrize("value", [-1e300, -1.0, 1e-300, 7.0, 1e300, 1e301, -1e308])
def test_any_number_is_shown_or_damage(tmp_path: Path, value: float) -> None:
    path = ended(tmp_path, list(range(30)), classes=True)
    rows = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    for row in (rows[0], rows[BEST]):
        row |= dict.fromkeys([*EpochMetrics.model_fields][1:], value)
    (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    is_damage = abs(value) > 1e300
    with pytest.raises(RunError, match="line 1 ") if is_damage else nullcontext():
        write_report(path)


def test_a_best_epoch_without_counts_has_no_confusion_matrix(tmp_path: Path) -> None:
    path = ended(tmp_path, list(range(30)), classes=True)
    rows = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    del rows[BEST]["confusion"]
    (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert build_page(read_run(path)).confusion is None
