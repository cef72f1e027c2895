"""The metrics for other tools: ``metrics.csv``, and ``loss.txt`` and ``accuracy.txt``."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from support.cli_process import netdesc_process
from support.report_samples import metrics_row, write_run

from netdesc.report import write_metrics_csv, write_slayer_logs
from netdesc.runs.errors import RunError


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_csv_has_a_row_for_each_epoch_and_every_value(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", classes=True)
    rows = read_csv(write_metrics_csv(folder))
    assert len(rows) == 30
    for epoch, row in enumerate(rows):
        made = metrics_row(epoch, classes=True)
        for kind in ("gradient_norms", "spike_rates"):
            made |= {f"{kind}.{layer}": value for layer, value in made.pop(kind).items()}
        assert {name: json.loads(cell) for name, cell in row.items()} == made
    assert list(rows[0])[:2] == ["epoch", "loss"]


def test_a_value_that_a_row_lacks_is_an_empty_cell(tmp_path: Path) -> None:
    rows = [{"epoch": 0, "loss": 2.5}, {"epoch": 1, "spike_rates": {"a": 0.5, "b": None}}]
    folder = write_run(tmp_path / "run", rows=rows)
    assert write_metrics_csv(folder).read_text() == (
        "epoch,loss,spike_rates.a,spike_rates.b\n0,2.5,,\n1,,0.5,\n"
    )


def test_damaged_metrics_are_one_message_and_no_file(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    (folder / "metrics.jsonl").write_text('{"epoch": 0}\n{"epoch": "x"}\n')
    with pytest.raises(RunError, match="line 2 is damaged"):
        write_metrics_csv(folder)
    assert not list(folder.glob("*.csv*"))


def test_losses_are_written_as_slayer_does(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", epochs=2)
    assert [path.name for path in write_slayer_logs(folder)] == ["loss.txt"]
    content = (folder / "loss.txt").read_bytes()
    assert content == b"# Train       \r\n  100.000000 \r\n   50.000000 \r\n"


def test_validation_and_accuracy_have_their_columns(tmp_path: Path) -> None:
    samples = {"train": 4, "validation": 2}
    folder = write_run(tmp_path / "run", epochs=3, classes=True, samples=samples)
    assert [path.name for path in write_slayer_logs(folder)] == ["loss.txt", "accuracy.txt"]
    for name in ("loss", "accuracy"):
        heading = (folder / f"{name}.txt").read_text().splitlines()[0]
        assert heading == "# Train        Valid       "
    made = [metrics_row(epoch, classes=True) for epoch in range(3)]
    losses = [[row["loss"] / 4, row["validation_loss"] / 2] for row in made]
    assert np.loadtxt(folder / "loss.txt") == pytest.approx(np.array(losses), abs=1e-6)
    shares = [[row["accuracy"], row["validation_accuracy"]] for row in made]
    assert np.loadtxt(folder / "accuracy.txt") == pytest.approx(np.array(shares), abs=1e-6)


def test_the_command_writes_them_on_request(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    ended = netdesc_process("report", folder, "--csv", "--slayer-logs", "--json")
    assert ended.code == 0
    assert json.loads(ended.out) == {
        "report": str(folder / "report.html"),
        "logs": [str(folder / "metrics.csv"), str(folder / "loss.txt")],
    }
    assert not {"torch", "numba", "h5py"} & ended.loaded
