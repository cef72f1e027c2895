"""The pages of sweeps and of several runs, in a headless Chromium, too."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from report.test_browser import CLIPPED, CONTRAST, DRAWN, TOO_WIDE, browser, pytestmark, show  # noqa: F401
from support.report_samples import write_run

from netdesc.report.comparison import Comparison, write_comparison
from netdesc.report.sweep_page import SweepPage, write_sweep_report
from netdesc.runs.sweep_table import SweepTable, TrialRow

RATE, KIND, DECAY = "training.optimizer.learning_rate", "training.schedule.type", "neurons.<b>.v"


def sweep(folder: Path) -> SweepTable:
    """Eight trials, three of which have a run."""
    runs = [f"trials/{number}/seed0" for number in range(3)]
    for n, run in enumerate(runs):
        write_run(
            folder / run, classes=True, epochs=5 + n, changes={"training": {"epochs": 30 + n}}
        )
    results = [
        (0.8, 100.0),
        (0.9, 300.0),
        (0.7, 200.0),
        (0.6, 50.0),
        None,
        None,
        None,
        (0.9, 300.0),
    ]
    statuses: Any = ["done"] * 3 + ["pruned", "failed", "running", "waiting", "done"]
    rows = [
        TrialRow(n, ("cuba", "<i>alif")[n % 2], {RATE: 0.001 * 10 ** (n % 3), KIND: "abc"[n % 3]},
                 statuses[n], results[n], None, "<img src=x>", tuple(runs[n : n + 1]))
        for n in range(8)
    ]  # fmt: skip
    rows[1] = replace(rows[1], values=rows[1].values | {DECAY: 0.5})
    objectives = (("validation_accuracy", True), ("spikes_per_sample", False))
    paths = (RATE, KIND, DECAY)
    return SweepTable("<s>", folder, objectives, paths, tuple(rows), (1, 0), {RATE: 0.5}, 10)


def test_a_sweep_is_told_by_its_page(tmp_path: Path) -> None:
    page: Any = SweepPage(sweep(tmp_path), tmp_path / "page.html")
    assert [trial.number for trial in page.ranked] == [1, 7, 0, 2]
    assert page.fronts[0].data[1]["x"] == [300, 100]
    assert page.histories[0].data[1]["y"] == [0.8, 0.9, 0.9, 0.9, 0.9], "the best so far"
    axes = {axis.path: axis.heights for axis in page.axes}
    assert axes[RATE] == pytest.approx([0.5, 0.5, 0, 1]), "logarithmic"
    assert axes[DECAY] == [0.5, -0.1, -0.1, -0.1]
    assert [curve["name"] for curve in page.curves.data] == ["other trials", "trial 1", "trial 0"]
    assert page.trials.rows[0][0] == '<a href="./trials/1/seed0">1</a>'


@pytest.mark.parametrize("count", [0, 1, 8])
def test_every_sweep_has_a_page_in_which_names_are_text(tmp_path: Path, count: int) -> None:
    table = sweep(tmp_path)
    (tmp_path / "trials/0/seed0/metrics.jsonl").write_text("damaged\n")
    write_sweep_report(replace(table, trials=table.trials[8 - count :]), tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert not any(hostile in text for hostile in ("<i>alif", "<img src=x>", "<b>.v", "<s>"))


@pytest.mark.parametrize("name", ["sweep", "comparison"])
def test_pages_of_several_runs_are_drawn(tmp_path: Path, show: Any, name: str) -> None:  # noqa: F811
    path, runs = tmp_path / "page.html", [tmp_path / f"trials/{n}/seed0" for n in range(3)]
    write_sweep_report(sweep(tmp_path), path)
    if name == "comparison":
        page = Comparison(runs, path)
        assert [row[1:] for row in page.documents.rows if row[0] == "epochs"] == [
            ["30", "31", "32"]
        ]
        write_comparison(runs, path)
    for scheme in ("light", "dark"):
        shown = show(path, 1280, scheme)
        assert shown.page.evaluate(DRAWN) == [True] * 4
        assert shown.page.locator(".parallel polyline").count() == (4 if name == "sweep" else 0)
        assert not shown.page.evaluate(TOO_WIDE)
        assert shown.page.evaluate(CLIPPED) + shown.page.evaluate(CONTRAST) == []
        assert shown.complaints == []
        assert [url for url in shown.requests if not url.startswith("data:")] == [path.as_uri()]
