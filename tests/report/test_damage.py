"""Files of a run that are incomplete or damaged: the report says so first and errs in no figure."""

from pathlib import Path

import pytest
from support.report_samples import metrics_row, page_of, write_run

from netdesc.report import write_report
from netdesc.report.page import Page
from netdesc.report.run import RunData


@pytest.mark.parametrize("keep", [[], [*range(29)], [*range(4), *range(9, 30)]])
def test_lost_lines_are_told_first(tmp_path: Path, keep: list[int]) -> None:
    path = write_run(tmp_path / "run", rows=[metrics_row(epoch) for epoch in keep])
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
    rows = [metrics_row(epoch) for epoch in range(4)]
    assert page_of(tmp_path, rows=rows, status="running", epochs_done=9).damage == []


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
