"""The metrics of a run: lines that are written, columns that are read."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.report_samples import OUTPUTS, metrics_row

from netdesc.runs.errors import RunError
from netdesc.runs.metrics_file import Metrics, MetricsFile, read_metrics

LAYERS = ["hidden", "output"]


@given(st.integers(0, 5), st.binary(max_size=30), st.integers(0, 3))
def test_metrics_are_truncated_to_the_checkpoint(
    tmp_path_factory: pytest.TempPathFactory, kept: int, torn: bytes, lost: int
) -> None:
    path = tmp_path_factory.mktemp("metrics") / "metrics.jsonl"
    with MetricsFile(path, 0) as metrics:
        for epoch in range(kept):
            metrics.append({"epoch": epoch})
        length = metrics.sync()
        for epoch in range(kept, kept + lost):
            metrics.append({"epoch": epoch})
        metrics.flush()
    with path.open("ab") as file:
        file.write(torn)
    with MetricsFile(path, length) as metrics:
        assert not metrics.is_short
        metrics.append({"epoch": kept})
        metrics.sync()
    lines = path.read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == list(range(kept + 1))


def test_metrics_that_lost_lines_continue_after_the_last_complete_one(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"epoch": 0}\n{"epo')
    with MetricsFile(path, 100) as metrics:
        assert metrics.is_short
        metrics.append({"epoch": 7})
        metrics.sync()
    assert path.read_text() == '{"epoch": 0}\n{"epoch": 7}\n'


def metrics_of(folder: Path, text: str) -> Metrics:
    (folder / "metrics.jsonl").write_text(text)
    return read_metrics(folder, LAYERS, epochs=100)


def lines(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_metrics_become_columns(tmp_path: Path) -> None:
    metrics = metrics_of(tmp_path, lines(*(metrics_row(n) for n in range(4))))
    assert len(metrics) == 4
    assert metrics.columns["loss"].tolist() == [100.0, 50.0, pytest.approx(33.333333), 25.0]
    assert metrics.by_layer["gradient_norms", "hidden"].tolist() == [5, 6, 7, 8]
    assert math.isnan(metrics.columns["accuracy"][0])
    assert (metrics.best, metrics.selection_metric, metrics.confusion) == (3, "loss", None)


def test_the_validation_loss_names_the_best_epoch_and_its_confusion(tmp_path: Path) -> None:
    rows = [metrics_row(n, classes=True) for n in range(5)]
    for row, loss in zip(rows, (5.0, 2.0, 1.0, 1.0, 3.0), strict=True):
        row["validation_loss"] = loss
        row["undecided_by_label"] = [row["epoch"]] * OUTPUTS
    metrics = metrics_of(tmp_path, lines(*rows))
    assert (metrics.best, metrics.selection_metric) == (2, "validation_loss")
    assert metrics.confusion is not None
    assert (metrics.confusion.epoch, metrics.confusion.undecided.tolist()) == (3, [2] * OUTPUTS)


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    text = lines(metrics_row(0), metrics_row(1))
    whole = len(lines(metrics_row(0)))
    for end in range(whole, len(text)):
        assert len(metrics_of(tmp_path, text[:end])) == 1
    assert len(metrics_of(tmp_path, text)) == 2


def test_no_number_is_no_fault(tmp_path: Path) -> None:
    text = '{"epoch": 0, "loss": NaN, "learning_rate": Infinity, "gradient_norms": null}\n'
    metrics = metrics_of(tmp_path, text)
    assert metrics.best is None
    assert metrics.value_at("learning_rate", 0) is None


@pytest.mark.parametrize(
    "line",
    [
        "[1]",
        "{",
        '{"loss": 1}',
        '{"epoch": -1}',
        '{"epoch": true}',
        '{"epoch": 99999999999999999999}',
        '{"epoch": 1, "loss": "1"}',
        '{"epoch": 1, "gradient_norms": [1]}',
        '{"epoch": 1, "spike_rates": {"hidden": {}}}',
        '{"epoch": 1, "loss": 1, "confusion": [[1, 2]]}',
        '{"epoch": 1, "loss": 1, "confusion": [[-1]]}',
        '{"epoch": 1, "loss": 1, "confusion": [[1]], "undecided_by_label": [0.5]}',
        '{"epoch": 1, "loss": 1, "confusion": [[1]], "undecided_by_label": [0, 0]}',
        "[" * 100_000,
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(RunError, match=r"metrics\.jsonl: line 2 is damaged"):
        metrics_of(tmp_path, lines(metrics_row(0)) + line + "\n")
