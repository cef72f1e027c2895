"""``netdesc runs``."""

import contextlib
import math
from datetime import UTC, datetime
from pathlib import Path

import click

from netdesc.cli import options
from netdesc.cli.output import Output

_MAX_COLUMNS = 6
"""The largest number of differing values in the table; ``--json`` and ``--csv`` have all."""


@click.command(
    epilog="\b\nExamples:\n  netdesc runs\n"
    "  netdesc runs sweeps/digits --sort validation_accuracy\n  netdesc runs --csv > runs.csv"
)
@click.argument("folder", type=options.PATH, default="runs")
@click.option("--sort", metavar="METRIC", help="The best first, by a metric; otherwise the oldest.")
@click.option("--csv", "as_csv", is_flag=True, help="Print a table of comma-separated values.")
@options.json_and_quiet
def runs(output: Output, folder: Path, sort: str | None, as_csv: bool) -> None:
    """List the runs in FOLDER and below, also those of sweeps.

    A line has the status of a run, its epochs, its age, the metrics of its best epoch (losses per
    sample), and the values of the document in which the listed runs differ.
    """
    from netdesc.runs import listing
    from netdesc.runs.errors import RunError

    listed, damaged = list[listing.ListedRun](), list[str]()
    for path in listing.find_runs(folder, damaged.append):
        try:
            listed.append(listing.read_run(path))
        except RunError as error:
            damaged.append(str(error))
    metrics = list(dict.fromkeys(name for run in listed for name in run.metrics))
    listed.sort(key=lambda run: (run.record.started or "", str(run.path)))
    if sort is not None:
        if sort not in metrics and listed:
            raise click.UsageError(f"--sort {sort}: no run has it; they have {', '.join(metrics)}")
        sign = -1 if "accuracy" in sort or "confidence" in sort else 1
        listed.sort(key=lambda run: sign * run.metrics.get(sort, sign * math.inf))
    paths = listing.differing(listed)
    rows = [
        {
            "run": str(run.path),
            "name": run.record.name,
            "status": run.status,
            "message": run.record.message,
            "started": run.record.started,
            "ended": run.record.ended,
            "epochs_done": run.record.epochs_done,
            "epochs": run.epochs,
            "seconds": run.record.seconds if math.isfinite(run.record.seconds or 0) else None,
            "best_epoch": run.record.best and run.record.best.epoch + 1,
        }
        for run in listed
    ]
    output.warn(*damaged)
    if output.as_json:
        objects = [
            row | {"metrics": run.metrics, "values": {p: run.values.get(p) for p in paths}}
            for row, run in zip(rows, listed, strict=True)
        ]
        output.print_json({"runs": objects, "differing": paths, "damaged": damaged})
    elif as_csv:
        names = [*(rows[0] if rows else []), *metrics, *paths]
        found = [run.values | run.metrics | row for row, run in zip(rows, listed, strict=True)]
        output.print_csv([names, *([each.get(name, "") for name in names] for each in found)])
    elif not listed:
        output.info(f"{folder} has no runs")
    else:
        short = listing.short_names(paths, {path for run in listed for path in run.values})
        widest = sorted(paths, key=lambda path: sum(path not in run.values for run in listed))
        columns = [path for path in paths if path in widest[:_MAX_COLUMNS]]
        shown = listing.shown_metrics(metrics)
        headings = ["run", "status", "epochs", "started", *shown, *(short[p] for p in columns)]
        cells = [
            [
                str(run.path),
                run.status,
                f"{run.record.epochs_done:,} of {run.epochs:,}",
                _age(run.record.started),
                *(f"{run.metrics[name]:,.4g}" if name in run.metrics else "" for name in shown),
                *(listing.value_text(run.values.get(path, "")) for path in columns),
            ]
            for run in listed
        ]
        output.print_table(headings, cells, right=["epochs", "started", *shown])
        if hidden := len(paths) - len(columns):
            output.info(f"{hidden} more values differ; --json and --csv have them")


def _age(started: str | None) -> str:
    """Returns how long ago a run started; empty if that is unknown."""
    from netdesc.report.format import duration

    with contextlib.suppress(ValueError, OverflowError):
        begin = datetime.fromisoformat(started or "").astimezone()
        return f"{duration(max(0.0, round((datetime.now(UTC) - begin).total_seconds())))} ago"
    return ""
