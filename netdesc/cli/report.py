"""``netdesc report``."""

from pathlib import Path

import click

from netdesc.cli import options
from netdesc.cli.output import Output


@click.command(
    epilog="\b\nExamples:\n"
    "  netdesc report runs/first\n"
    "  netdesc report runs/first --csv --slayer-logs\n"
    "  netdesc report runs/first runs/second -o first_second.html"
)
@click.argument("runs", metavar="RUN...", type=options.PATH, nargs=-1, required=True)
@options.output_path(
    "FILE.html",
    "The file to write. Default: report.html in the run's folder, or comparison.html here.",
)
@click.option(
    "--csv",
    is_flag=True,
    help="Also write metrics.csv into RUN: the values of metrics.jsonl, a row for each epoch.",
)
@click.option(
    "--slayer-logs",
    is_flag=True,
    help="Also write loss.txt and accuracy.txt into RUN, in the layout of slayer.",
)
@click.option("--open", is_flag=True, help="Open the report in the browser.")
@options.json_and_quiet
def report(output: Output, runs: tuple[Path, ...], target: Path | None, **flags: bool) -> None:
    """Write the report of the run in the folder RUN, and print the report's path.

    The report is one HTML file that needs no network and no other file. A run that failed or is
    still running can have a report, too. As in metrics.jsonl, epochs count from 0 in metrics.csv;
    losses in loss.txt are per sample, as in the report. If there are several RUNs, the file sets
    them side by side: results, differences of the documents, curves and pictures.
    """
    if target is not None and target.suffix.lower() not in (".html", ".htm"):
        raise click.UsageError(f"{target}: the name of a report ends in .html or .htm")
    from netdesc.report import write_metrics_csv, write_report, write_slayer_logs
    from netdesc.report.comparison import COMPARISON, write_comparison

    if len(runs) == 1:
        path = write_report(runs[0], target, output.warn)
    else:
        path = write_comparison(runs, target or Path(COMPARISON), output.warn)
    logs = [write_metrics_csv(run) for run in runs if flags["csv"]]
    if flags["slayer_logs"]:
        logs += [log for run in runs for log in write_slayer_logs(run)]
    if output.as_json:
        output.print_json({"report": str(path), "logs": [str(log) for log in logs]})
    else:
        output.print(str(path), *map(str, logs))
    if flags["open"]:
        click.launch(str(path))
