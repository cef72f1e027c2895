"""Writes the metrics of a run for other tools: as CSV, and in the layout of slayer's logs."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from netdesc.report.output import open_output
from netdesc.report.run import read_run
from netdesc.runs.folder import METRICS_CSV, SLAYER_ACCURACY, SLAYER_LOSS
from netdesc.runs.metrics_file import Metrics, MetricsRow, read_rows


def write_metrics_csv(run: Path) -> Path:
    """Writes ``metrics.csv`` into the run's folder: the values of ``metrics.jsonl``, unchanged.

    There is a row for each epoch and a column for each value. A metric of layers has a column for
    each layer, such as ``spike_rates.hidden``. Lists, such as the confusion matrix, are JSON text.
    If an epoch lacks a value, its cell is empty. Returns the path of the file. Raises RunError
    if the metrics are missing or damaged, or the file cannot be written.
    """
    names = {name for row in read_rows(run) for name, _ in _cells(row)}
    order = list(MetricsRow.model_fields)
    columns = sorted(names, key=lambda name: (order.index(name.partition(".")[0]), name))
    path = run / METRICS_CSV
    with open_output(path) as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(dict(_cells(row)) for row in read_rows(run))
    return path


def _cells(row: MetricsRow) -> Iterator[tuple[str, Any]]:
    """Yields the name of a column and the value of its cell, for each value that the row has."""
    for name, value in row.model_dump(exclude_unset=True, exclude_none=True).items():
        if isinstance(value, dict):
            yield from ((f"{name}.{layer}", each) for layer, each in value.items())
        else:
            yield name, json.dumps(value) if isinstance(value, list | tuple) else value


def write_slayer_logs(run: Path) -> list[Path]:
    """Writes ``loss.txt`` and, with labels, ``accuracy.txt``, as slayer's ``LearningStats.save``.

    The first line, which begins with ``#``, has the names of the columns. A line for each epoch
    follows. There is a column for training and, if the run has validation samples, one for
    validation. Losses are per sample. Returns the paths of the files. Raises RunError if the run
    is damaged or a file cannot be written.
    """
    metrics = read_run(run).metrics
    files = {run / SLAYER_LOSS: "loss", run / SLAYER_ACCURACY: "accuracy"}
    return [path for path, metric in files.items() if _write_slayer_log(path, metrics, metric)]


def _write_slayer_log(path: Path, metrics: Metrics, metric: str) -> bool:
    """Writes the columns of ``metric``; returns False, without a file, if the run lacks them."""
    parts = {" Train       ": metric, " Valid       ": f"validation_{metric}"}
    columns = {
        heading: metrics.columns[name] for heading, name in parts.items() if metrics.has(name)
    }
    if not columns:
        return False
    with open_output(path) as file:
        file.write(f"#{''.join(columns)}\r\n")
        for values in zip(*columns.values(), strict=True):
            file.write("".join(f"{value:12.6f} " for value in values) + "\r\n")
    return True
