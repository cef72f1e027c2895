"""The page that sets runs side by side, and the command that writes it."""

from pathlib import Path

import pytest
from support.cli_process import Netdesc
from support.report_samples import document, long_names, metrics_row, write_run

from netdesc.report.comparison import Comparison, write_comparison
from netdesc.report.tables import Link


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    hidden, output = document()["layers"]
    wide = {"layers": [hidden | {"units": 16, "bias": True}, output]}
    best = {"epoch": 2, "loss": 4.0}
    return [
        write_run(tmp_path / "a" / "run", best=best, epochs=3),
        write_run(tmp_path / "<b>" / "run", best=best | {"loss": 2.0}, changes=wide),
        write_run(tmp_path / "c" / "run", status="failed", epochs=0),
    ]


def test_runs_are_set_side_by_side(runs: list[Path], tmp_path: Path) -> None:
    (runs[1] / "report.html").touch()
    page = Comparison(runs, tmp_path / "pages" / "page.html")
    results = {row[0]: row[1:] for row in page.results.rows}
    assert list(results) == ["a/run", "<b>/run", "c/run"]
    linked = {str(row[0]): row[0].address for row in page.results.rows if isinstance(row[0], Link)}
    assert linked == {"<b>/run": "./../%3Cb%3E/run/report.html"}
    assert [row[0] for row in results.values()] == ["done", "done", "failed"]
    assert [row[3] for row in results.values()] == ["4", "2", "–"]
    differing = {row[0]: row[1:] for row in page.documents.rows}
    assert differing["hidden.bias"] == ["false", "true", "false"]
    loss = page.plots[0].data
    lines = [curve for curve in loss if curve["mode"] == "lines"]
    assert [curve["name"] for curve in lines] == ["a/run", "&lt;b&gt;/run"], (
        "the third has no epochs"
    )
    assert [len(curve["x"]) for curve in lines] == [30, 30]
    assert lines[0]["y"][2:5] == [33.3333, None, None]
    assert len(page.rasters) == 4, "a target, which is the same for all, and three outputs"


def test_the_command_compares_two_runs_and_more(
    netdesc: Netdesc, runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = netdesc("report", *runs)
    assert outcome.out.strip() == "comparison.html"
    text = (tmp_path / "comparison.html").read_text()
    assert "<b>/run" not in text
    assert "&lt;b&gt;/run" in text
    outcome = netdesc("report", runs[0], runs[0], "-o", "same.html", "--csv")
    assert outcome.code == 0
    assert (runs[0] / "metrics.csv").exists()
    assert "all documents have the same values" in (tmp_path / "same.html").read_text()
    assert netdesc("report", runs[0], tmp_path / "missing").code == 3
    assert netdesc("report").code == 2
    (runs[1] / "metrics.jsonl").write_text("{}\n")
    assert netdesc("report", *runs).code == 1


def test_runs_of_different_kinds_are_compared(tmp_path: Path) -> None:
    rows = [metrics_row(0, classes=True) | {"loss": None, "validation_loss": float("inf")}]
    paths = [
        write_run(tmp_path / "1" / "run", classes=True),
        write_run(tmp_path / "2" / "run", changes=long_names(), rows=[]),
        write_run(tmp_path / "3" / "run", classes=True, rows=rows, status="diverged"),
    ]
    (paths[0] / "activity.npz").write_bytes(b"damaged")
    warnings = list[str]()
    write_comparison(paths * 7, tmp_path / "page.html", warnings.append)
    assert any("1/run" in warning for warning in warnings)
