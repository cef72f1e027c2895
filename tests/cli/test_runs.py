"""``netdesc runs``: which runs it finds, what it says of them, and what may lie in its way."""

import csv
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from support.cli_process import Netdesc
from support.report_samples import document, metrics_row, run_record, write_run

from netdesc.runs.process_lock import lock_folder


def run_with(folder: Path, units: int = 16, accuracy: float = 0.5, **record: Any) -> Path:
    hidden, output = document(classes=True)["layers"]
    best = metrics_row(3, classes=True) | {"validation_accuracy": accuracy}
    best = {name: value for name, value in best.items() if not isinstance(value, list | dict)}
    samples = {"train": 10, "validation": 5}
    changes = {"layers": [hidden | {"units": units}, output]}
    record = {"best": best, "samples": samples} | record
    return write_run(folder, classes=True, epochs=4, changes=changes, **record)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three runs, one of them in a sweep's folder; the best one has 32 units."""
    monkeypatch.chdir(tmp_path)
    runs = tmp_path / "runs"
    run_with(runs / "first", started="2026-01-02T03:04:05+00:00")
    run_with(runs / "second", 32, 0.9, started="2026-01-03T03:04:05+00:00")
    run_with(runs / "S" / "trials" / "0007" / "seed0", started="2026-01-01T03:04:05+00:00")
    return runs


def names(outcome: Any) -> list[str]:
    assert outcome.code == 0
    return [Path(run["run"]).name for run in outcome.record["runs"]]


def test_runs_are_listed_with_what_differs(netdesc: Netdesc, folder: Path) -> None:
    outcome = netdesc("runs", "--json")
    assert names(outcome) == ["seed0", "first", "second"]
    *files, units = outcome.record["differing"]
    assert units == "layers.hidden.units"
    assert files == ["data.train.0.input.path"], "each run has a file of its own"
    assert [run["values"][units] for run in outcome.record["runs"]] == [16, 16, 32]
    last = outcome.record["runs"][-1]
    assert (last["status"], last["epochs_done"], last["epochs"]) == ("done", 4, 30)
    assert last["metrics"]["validation_accuracy"] == 0.9
    assert last["metrics"]["validation_loss"] == pytest.approx(120 / 4 / 5), "per sample"
    assert "16" not in netdesc("runs", folder / "second").out.split(), "nothing differs in one run"


def test_the_best_come_first_if_asked(netdesc: Netdesc, folder: Path) -> None:
    assert names(netdesc("runs", folder, "--json", "--sort", "validation_accuracy"))[0] == "second"
    run_with(folder / "low", best={"epoch": 0, "loss": 0.5})
    assert names(netdesc("runs", folder, "--json", "--sort", "loss"))[0] == "low"
    assert names(netdesc("runs", folder, "--json", "--sort", "validation_loss"))[-1] == "low"
    assert netdesc("runs", folder, "--sort", "accurracy").code == 2
    rows = list(csv.DictReader(io.StringIO(netdesc("runs", folder, "--csv").out)))
    assert sorted(row["layers.hidden.units"] for row in rows) == ["16", "16", "16", "32"]


def test_a_killed_run_is_told_from_one_at_work(netdesc: Netdesc, folder: Path) -> None:
    run_with(folder / "third", status="running", started=None)
    statuses = lambda: {r["run"]: r["status"] for r in netdesc("runs", "--json").record["runs"]}  # noqa: E731
    assert statuses()["runs/third"] == "killed"
    with lock_folder(folder / "third"):
        assert statuses()["runs/third"] == "running"


def test_damaged_folders_do_not_hide_the_others(netdesc: Netdesc, folder: Path) -> None:
    damages = {
        "network.lock.json": ["[" * 100_000, "[]", '{"training": NaN}', '{"x": 1e999}', "\xff"],
        "run.json": ["", '{"name": 3}', '{"best": {"epoch": "x"}}'],
    }
    count = 0
    for name, texts in damages.items():
        for text in texts:
            count += 1
            run = run_with(folder / f"damaged{count}")
            (run / name).write_text(text, "latin-1")
    (folder / "bare").mkdir()
    (folder / "bare" / "run.json").write_text(json.dumps(run_record(1)))
    linked = run_with(folder.parent / "elsewhere")
    os.symlink(linked, folder / "link")
    os.symlink(folder, folder / "cycle")
    (run_with(folder / "odd") / "run.json").unlink()
    os.symlink(linked / "run.json", folder / "odd" / "run.json")
    outcome = netdesc("runs", "--json")
    assert names(outcome) == ["seed0", "first", "second"]
    assert len(outcome.record["damaged"]) == count + 2


def test_values_of_any_kind_are_printed(netdesc: Netdesc, folder: Path) -> None:
    run = run_with(folder / "hostile\x1b[31m\n", started="\x1b]0;x\x07")
    lock = json.loads((run / "network.lock.json").read_text())
    lock |= {
        "training": [1, {"name": "\x1b[2J"}],
        "layers": 7,
        "loss": [[3], "x"],
        "a\nb": "\ud800",
    }
    lock["lock"] = {"origins": [], "files": [{"path": "c", "location": "\0"}]}
    (run / "network.lock.json").write_text(json.dumps(lock))
    for flags in ((), ("--csv",), ("--json",)):
        outcome = netdesc("runs", *flags)
        assert outcome.code == 0, outcome.err
        assert "\x1b" not in outcome.err + (outcome.out if "--csv" not in flags else "")


def test_a_folder_without_runs_is_no_error(netdesc: Netdesc, tmp_path: Path) -> None:
    assert netdesc("runs", tmp_path).code == 0
    assert netdesc("runs", tmp_path, "--csv").code == 0
    assert netdesc("runs", tmp_path / "missing").code == 3
