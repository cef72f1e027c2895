"""Files of a run that are incomplete or damaged: the report says so first and errs in no figure."""

import json
from pathlib import Path
from typing import Any

import pytest
from support.report_samples import metrics_row, write_run

from netdesc.report import write_report
from netdesc.report.page import Page
from netdesc.report.run import RunData


def ended(folder: Path, keep: list[int], **record: Any) -> Path:
    """A run of 30 epochs, of whose metrics only ``keep`` is left."""
    path = write_run(folder / "run", **record)
    lines = [json.dumps(metrics_row(epoch)) + "\n" for epoch in keep]
    (path / "metrics.jsonl").write_text("".join(lines))
    return path


@pytest.mark.parametrize("keep", [[], [*range(29)], [*range(4), *range(9, 30)]])
def test_lost_lines_are_told_first(tmp_path: Path, keep: list[int]) -> None:
    path = ended(tmp_path, keep)
    page = Page(RunData(path))
    assert page.damage == [
        f"metrics.jsonl lacks {30 - len(keep)} epoch{'s' if len(keep) < 29 else ''}. "
        "The report leaves them out."
    ]
    told: list[str] = []
    text = write_report(path, warn=told.append).read_text()
    assert told == page.damage
    assert text.index("metrics.jsonl lacks") < text.index('class="pill"')


def test_a_run_at_work_lacks_nothing_yet(tmp_path: Path) -> None:
    """Its record is as old as its last sitting."""
    path = ended(tmp_path, list(range(4)), status="running", epochs_done=9)
    assert Page(RunData(path)).damage == []


def spoil(path: Path, damage: str) -> None:
    path.unlink()
    if damage == "garbage":
        path.write_bytes(b"\xff\x00garbage\n" * 3)
    elif damage == "folder":
        path.mkdir()
    elif damage == "empty":
        path.touch()


@pytest.mark.parametrize("damage", ["garbage", "folder", "empty"])
@pytest.mark.parametrize(
    "name", ["activity.npz", "checkpoints/best.safetensors", "checkpoints/initial.safetensors"]
)
def test_a_damaged_file_is_told_and_done_without(tmp_path: Path, name: str, damage: str) -> None:
    whole = Page(RunData(write_run(tmp_path / "whole")))
    folder = write_run(tmp_path / "run")
    spoil(folder / name, damage)
    page = Page(RunData(folder))
    (told,) = page.damage
    assert told.startswith(f"{folder / name}: ")
    assert (page.slider is None) is (page.rates is None) is (name == "activity.npz")
    assert page.weight_change.weights.rows
    learned = [row[1:4:2] for row in page.weight_change.weights.rows]
    assert all((row[0] == "–") is name.endswith("initial.safetensors") for row in learned)
    assert all((row[1] == "–") is name.endswith("best.safetensors") for row in learned)
    assert [plot.spec for plot in page.training] == [plot.spec for plot in whole.training]
    text = write_report(folder).read_text()
    assert text.index(name) < text.index('class="headline"')
