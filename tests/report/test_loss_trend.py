"""The course of the loss: whether it fell, rose again or made the network worse, and what helps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from support.report_samples import document, metrics_row, write_run

from netdesc.report.page import Page, build_page
from netdesc.report.run import read_run


def with_losses(
    folder: Path, losses: Sequence[float], name: str = "loss", training: float = 1, **record: Any
) -> Page:
    """A run with ``losses``; beside those of validation, training's is ``training ** epoch``."""
    path = write_run(folder / "run", epochs=0, **record)
    rows = [metrics_row(n) | {"loss": training**n} | {name: x} for n, x in enumerate(losses)]
    (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return build_page(read_run(path))


FLAT = [10.0 / (n + 1) + 5 for n in range(40)]


@pytest.mark.parametrize(
    ("losses", "name", "falls", "rises"),
    [
        ([100.0 * 0.95**n for n in range(40)], "loss", True, False),
        ([9.0, 7.0, 4.0, 2.0, 1.0], "loss", True, False),
        ([9.0, 8.9, 8.8, 8.7, 8.6], "loss", False, False),
        ([9.0], "loss", False, False),
        ([3.0] + [3.1] * 9, "loss", False, False),
        (FLAT, "loss", False, False),
        ([*FLAT, *[5.5] * 20], "loss", False, False),
        ([*FLAT, *[6.5] * 20], "validation_loss", False, True),
        ([*FLAT, *[6.5] * 19, 5.0], "validation_loss", False, False),
        # Falling, but from a bad stretch, and the last is far from the best.
        ([9.0] * 10 + [3.0] + [9.0] * 20 + [8.0] * 9, "loss", False, True),
    ],
)
def test_the_end_of_the_loss_says_whether_training_was_too_short(
    tmp_path: Path, losses: list[float], name: str, falls: bool, rises: bool
) -> None:
    page = with_losses(tmp_path, losses, name)
    notes = " ".join(page.notes)
    assert ("more epochs may help" in notes) is falls
    assert any("training.epochs=" in step.text for step in page.steps) is falls
    assert ("rose again after the best epoch" in notes) is rises
    assert ("overfitting" in notes) is (rises and name == "validation_loss")


def test_a_training_loss_that_rises_as_well_is_no_overfitting(tmp_path: Path) -> None:
    for training, overfits in ((0.9, True), (1.1, False)):
        losses = [*FLAT, *[6.5] * 20]
        page = with_losses(tmp_path / str(training), losses, "validation_loss", training)
        assert ("overfitting" in " ".join(page.notes)) is overfits


@pytest.mark.parametrize(
    ("name", "early_stopping", "is_missed"),
    [
        ("validation_loss", None, True),
        ("validation_loss", {"patience_epochs": 100}, False),
        ("loss", None, False),
    ],
)
def test_early_stopping_is_missed_only_where_it_was_off(
    tmp_path: Path, name: str, early_stopping: dict[str, int] | None, is_missed: bool
) -> None:
    training = document()["training"] | {"early_stopping": early_stopping}
    page = with_losses(tmp_path, [*FLAT, *[6.5] * 20], name, changes={"training": training})
    assert ("Early stopping would have saved time" in " ".join(page.notes)) is is_missed
    assert any("patience_epochs=" in step.text for step in page.steps) is is_missed


@pytest.mark.parametrize("record", [{"status": "interrupted"}, {"stopped_early": True}])
def test_only_a_whole_run_was_too_short(tmp_path: Path, record: dict[str, Any]) -> None:
    page = with_losses(tmp_path, [100.0 * 0.95**n for n in range(25)], **record)
    assert "more epochs" not in " ".join(page.notes)
