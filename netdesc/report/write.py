"""Writes the report of a run, and its metrics for other tools: as CSV, and as slayer's logs."""

import csv
import io
import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from netdesc.report.commands import advice
from netdesc.report.html_page import render, write_text
from netdesc.report.page import Page
from netdesc.report.run import RunData
from netdesc.report.verdict import headline
from netdesc.runs.folder import METRICS_CSV, REPORT, SLAYER_ACCURACY, SLAYER_LOSS
from netdesc.runs.metrics_file import MetricsRow, read_rows


@np.errstate(all="ignore")  # a run that diverged may contain infinite values
def write_report(
    run: str | Path,
    target: str | Path | None = None,
    warn: Callable[[str], None] = lambda text: None,
) -> Path:
    """Writes the report of a run to ``target``, by default into the run's folder. Returns the path.

    The run may have any status. ``warn`` is called with each sentence about missing or damaged
    data; the top of the report has these sentences, too. Raises RunError if there is no such run, a
    required file is missing or damaged, or the report cannot be written.
    """
    run = Path(run)
    path = run / REPORT if target is None else Path(target)
    page = Page(RunData(run))
    write_text(path, render("report.html.j2", page), follow_links=target is not None)
    for damage in page.damage:
        warn(damage)
    return path


@np.errstate(all="ignore")
def conclude(run: Path) -> dict[str, str]:
    """Returns what the report says first, by a label for the console. RunError as above."""
    data = RunData(run)
    lines = {"result": headline(data)}
    for best in itertools.islice(advice(data), 1):
        lines["advice"] = best.text
    if (verified := data.record.verification) is not None:
        lines["verified" if verified.identical else "differs"] = verified.summary
    return lines


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
    path, text = run / METRICS_CSV, io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(dict(_cells(row)) for row in read_rows(run))
    write_text(path, text.getvalue())
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
    metrics, paths = RunData(run).metrics, list[Path]()
    for file, metric in {SLAYER_LOSS: "loss", SLAYER_ACCURACY: "accuracy"}.items():
        parts = {" Train       ": metric, " Valid       ": f"validation_{metric}"}
        columns = {
            heading: metrics.columns[name] for heading, name in parts.items() if metrics.has(name)
        }
        if columns:
            rows = zip(*columns.values(), strict=True)
            lines = ["".join(f"{value:12.6f} " for value in values) for values in rows]
            text = "".join(f"{line}\r\n" for line in (f"#{''.join(columns)}", *lines))
            paths.append(run / file)
            write_text(paths[-1], text)
    return paths
