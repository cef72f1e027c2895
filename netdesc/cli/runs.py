"""``netdesc runs``."""

import csv
import io
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from netdesc.cli import options
from netdesc.cli.output import Output

if TYPE_CHECKING:
    from netdesc.runs.listing import ListedRun

_MAX_COLUMNS = 6
"""The largest number of differing values in the table; ``--json`` and ``--csv`` have all."""
_METRICS = (
    "loss", "accuracy", "validation_loss", "validation_accuracy", "test_loss", "test_accuracy",
    "spikes_per_sample",
)  # fmt: skip
"""The metrics in the table; those of training samples only if no run has validation samples."""
_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


@click.command(
    epilog="\b\nExamples:\n  netdesc runs\n"
    "  netdesc runs sweeps/digits --sort validation_accuracy\n"
    "  netdesc runs --csv > runs.csv"
)
@click.argument("folder", type=click.Path(path_type=Path), default="runs")
@click.option("--sort", metavar="METRIC", help="The best first, by a metric; otherwise the oldest.")
@click.option("--csv", "as_csv", is_flag=True, help="Print a table of comma-separated values.")
@options.json_and_quiet
def runs(output: Output, folder: Path, sort: str | None, as_csv: bool) -> None:
    """List the runs in FOLDER and below, also those of sweeps.

    A line has the status of a run, its epochs, its age, the metrics of its best epoch (losses per
    sample), and the values of the document in which the listed runs differ.
    """
    from netdesc.runs.errors import RunError
    from netdesc.runs.listing import ListedRun, differing, find_runs, read_run, short_names

    listed, damaged = list[ListedRun](), list[str]()
    for path in find_runs(folder, damaged.append):
        try:
            listed.append(read_run(path))
        except RunError as error:
            damaged.append(str(error))
    metrics = list(dict.fromkeys(name for run in listed for name in run.metrics))
    listed.sort(key=lambda run: (run.record.started or "", str(run.path)))
    if sort is not None:
        if sort not in metrics and listed:
            known = ", ".join(metrics) or "none yet"
            raise click.UsageError(f"--sort {sort}: no run has this metric (they have: {known})")
        sign = -1 if "accuracy" in sort or "confidence" in sort else 1
        listed.sort(key=lambda run: sign * run.metrics.get(sort, sign * math.inf))
    paths = differing([run.values for run in listed])
    output.warn(*damaged)
    if output.as_json:
        rows = [_row(run, paths) for run in listed]
        output.print_json({"runs": rows, "differing": paths, "damaged": damaged})
    elif as_csv:
        _print_csv(output, listed, metrics, paths)
    elif not listed:
        output.info(f"{folder} has no runs")
    else:
        names = short_names(paths)
        shown = sorted(paths, key=lambda path: sum(path not in run.values for run in listed))
        shown = [path for path in paths if path in shown[:_MAX_COLUMNS]]
        _print_table(output, listed, metrics, {path: names[path] for path in shown})
        if len(shown) < len(paths):
            hidden = len(paths) - len(shown)
            output.info(f"{hidden} more values differ; --json and --csv have them")


def _row(run: "ListedRun", paths: Sequence[str]) -> dict[str, Any]:
    record = run.record
    return {
        "run": str(run.path),
        "name": record.name,
        "status": run.status,
        "message": record.message,
        "started": record.started,
        "ended": record.ended,
        "epochs_done": record.epochs_done,
        "epochs": run.epochs,
        "seconds": record.seconds if math.isfinite(record.seconds or 0) else None,
        "best_epoch": record.best and record.best.epoch + 1,
        "metrics": run.metrics,
        "values": {path: run.values[path] for path in paths if path in run.values},
    }


def _print_csv(
    output: Output, listed: Sequence["ListedRun"], metrics: Sequence[str], paths: Sequence[str]
) -> None:
    rows = [_row(run, paths) for run in listed]
    fields = [name for name in (rows[0] if rows else ()) if name not in ("metrics", "values")]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*fields, *metrics, *paths])
    for row in rows:
        parts = ((row, fields), (row["metrics"], metrics), (row["values"], paths))
        writer.writerow([part.get(name, "") for part, names in parts for name in names])
    output.print_document(text.getvalue().rstrip("\n"))


def _print_table(
    output: Output, listed: Sequence["ListedRun"], metrics: Sequence[str], columns: dict[str, str]
) -> None:
    from netdesc.runs.listing import value_text

    has_validation = any(name.startswith("validation_") for name in metrics)
    shown = [name for name in _METRICS[2 * has_validation :] if name in metrics]
    headings = ["run", "status", "epochs", "started", *shown, *columns.values()]
    rows = [
        [
            str(run.path),
            run.status,
            f"{run.record.epochs_done:,} of {'?' if run.epochs is None else f'{run.epochs:,}'}",
            _age(run.record.started),
            *(f"{run.metrics[name]:,.4g}" if name in run.metrics else "" for name in shown),
            *(value_text(run.values[path]) if path in run.values else "" for path in columns),
        ]
        for run in listed
    ]
    output.print_table(headings, rows, right=["epochs", "started", *shown])


def _age(started: str | None) -> str:
    """Returns how long ago a run started, in its largest unit; empty if that is unknown."""
    try:
        begin = datetime.fromisoformat(started or "")
    except ValueError:
        return ""
    seconds = max(0.0, (datetime.now(UTC) - begin.astimezone()).total_seconds())
    unit, size = next(((unit, size) for unit, size in _UNITS if seconds >= size), _UNITS[-1])
    return f"{seconds / size:.0f} {unit} ago"
