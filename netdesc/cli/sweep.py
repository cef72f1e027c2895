"""``netdesc sweep``."""

import collections
import json
import os
import threading
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import click

from netdesc.cli import options
from netdesc.cli.output import Output
from netdesc.cli.processes import end_with_parent
from netdesc.stop_signals import PARENT

if TYPE_CHECKING:
    from netdesc.runs.sweep_table import SweepTable, TrialRow


class _SweepGroup(click.Group):
    """A group whose command ``run`` is meant if no command is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in self.get_help_option_names(ctx):
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group(
    cls=_SweepGroup,
    epilog="\b\nExamples:\n  netdesc sweep examples/sweep_digits.json --dir sweeps/digits\n"
    "  netdesc sweep --dir sweeps/digits --trials +20\n"
    "  netdesc sweep best sweeps/digits > best.json",
)
def sweep() -> None:
    """Train a network with other values, and find the best.

    netdesc sweep FILE.json --dir S runs the trials of the section "sweep" in FILE.json, or joins
    the processes that do; netdesc sweep run --help lists its options. A file that is named as one
    of these commands needs ./ before its name.
    """


@sweep.command(
    short_help="Start a sweep or join it: what netdesc sweep FILE.json does.",
    epilog="Example: netdesc sweep run examples/sweep_digits.json --dir sweeps/digits --jobs 2",
)
@click.argument("file", metavar="[FILE.json]", required=False, type=options.DOCUMENT)
@click.option(
    "--dir",
    "folder",
    metavar="S",
    type=options.PATH,
    required=True,
    help="Folder of the sweep. The same command starts it, joins it from another machine that sees "
    "the folder, and goes on after an interruption. Then FILE.json may be left out.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 1000),
    default=1,
    metavar="N",
    help="Run trials in N processes, which share the cores of this machine.",
)
@click.option(
    "--trials",
    metavar="N|+N",
    help="Replace the number of trials in the document, or add N to the number so far.",
)
@options.overrides
@options.device
@options.engine
@options.json_and_quiet
def run(
    output: Output, file: Path | None, folder: Path, overrides: tuple[str, ...], **settings: Any
) -> int:
    """Run the trials of the section "sweep" in FILE.json, and write S/sweep.html.

    Each trial is a run in S/trials, or one for each of its seeds. The runs of the best trials get
    reports at the end. Ctrl-C ends after the current batch (exit code 130; after SIGTERM, SIGHUP,
    SIGUSR1, SIGUSR2 and SIGXCPU 75); the same command goes on with this trial. The trial of a
    process that died is resumed by the next one.
    """
    from netdesc.cli import diagnostics_text

    is_worker = os.environ.pop(PARENT, None) is not None
    if is_worker:
        threading.Thread(target=end_with_parent, daemon=True).start()
    if file is not None:
        description = diagnostics_text.load_document(output, file, overrides)
    elif overrides:
        raise click.UsageError("--set changes a document: name the FILE.json")
    else:
        from netdesc.sweeps import sweep_folder

        description = sweep_folder.read(folder).description
    from netdesc.api.sweep import SWEEP_PAGE, SweepOptions, run_sweep
    from netdesc.sweeps.results import read_table

    settings |= {"on_trial": _Progress(output, folder).show, "is_worker": is_worker}
    settings |= {"info": output.info, "warn": output.warn}
    code = run_sweep(description, folder, SweepOptions(**settings))
    if is_worker:
        return code
    table = read_table(folder)
    if output.as_json:
        output.print_json({"exit_code": code, "report": str(folder / SWEEP_PAGE), **_record(table)})
        return code
    shown = quote(str(folder))
    output.info(_summary(table))
    if code:
        output.info(f"interrupted; go on with: netdesc sweep --dir {shown}")
        return code
    if table.front:
        output.info(f"document of the best: netdesc sweep best {shown} > best.json")
    if (folder / SWEEP_PAGE).exists():
        output.print(str(folder / SWEEP_PAGE))
    return code


class _Progress:
    """Prints a line for each trial, with the best one so far and the time left."""

    def __init__(self, output: Output, folder: Path) -> None:
        self._output, self._folder = output, folder
        self._table: SweepTable | None = None
        self._began, self._due, self._ended, self._read = time.monotonic(), 0.0, 0, 0

    def show(self, row: "TrialRow") -> None:
        from netdesc.sweeps.results import read_table

        self._ended += 1
        if self._output.quiet:
            return
        began = time.monotonic()
        if self._table is None or began >= self._due:  # other processes have trials, too
            self._table = read_table(self._folder)
            now = time.monotonic()
            self._due, self._read = now + 20 * (now - began), self._ended
        table = self._table
        over = sum(trial.has_ended for trial in table.trials)
        over = min(over + self._ended - self._read, table.planned)
        seconds = round((began - self._began) / self._ended * (table.planned - over))
        parts = [f"trial {row.number} {row.status}", _results(table, row), _settings(row)]
        parts += [row.reason] * (row.status != "done")
        best = [trial for trial in table.trials if trial.number in table.front[:1]]
        parts += [f"best {_results(table, trial)} (trial {trial.number})" for trial in best]
        parts += [f"{over} of {table.planned}, {timedelta(seconds=seconds)} left"]
        self._output.info("; ".join(filter(None, parts)))


def _summary(table: "SweepTable") -> str:
    counts = collections.Counter(row.status for row in table.trials)
    text = ", ".join(f"{count} {status}" for status, count in counts.items()) or "none begun"
    best = [row for row in table.trials if row.number in table.front[:1]]
    texts = [f"trial {row.number}: {_results(table, row)}; {_settings(row)}" for row in best]
    return "; best is ".join([f"{table.planned} trials: {text}", *texts])


def _results(table: "SweepTable", row: "TrialRow") -> str:
    spreads = row.spreads or [0.0] * len(table.objectives)
    values = zip(table.objectives, row.results or (), spreads, strict=False)
    return ", ".join(
        f"{metric} {value:.5g}" + (f" ± {spread / 2:.2g}" if spread else "")
        for (metric, _), value, spread in values
    )


def _settings(row: "TrialRow") -> str:
    from netdesc.runs.listing import short_names

    names = short_names(list(row.values))
    values = [f"{names[path]}={_table_cell(value)}" for path, value in row.values.items()]
    return " ".join(filter(None, [row.variant, *values]))


def _record(table: "SweepTable") -> dict[str, Any]:
    objectives = [{"maximize" if high else "minimize": metric} for metric, high in table.objectives]
    metrics = [metric for metric, _ in table.objectives]

    def named(values: Sequence[float] | None) -> dict[str, float] | None:
        return None if values is None else dict(zip(metrics, values, strict=False))

    return {
        "name": table.name,
        "dir": str(table.folder),
        "planned": table.planned,
        "objectives": objectives,
        "best": list(table.front),
        "importance": table.importance,
        "trials": [
            {
                "number": row.number,
                "status": row.status,
                "variant": row.variant,
                "values": row.values,
                "results": named(row.results),
                "spreads": named(row.spreads),
                "reason": row.reason,
                "runs": [str(table.folder / run) for run in row.folders],
            }
            for row in table.trials
        ],
    }


def _csv_cell(value: Any) -> object:
    return value if isinstance(value, str | float | int) else json.dumps(value)


def _table_cell(value: Any) -> object:
    from netdesc.runs.listing import value_text

    return f"{value:.5g}" if isinstance(value, float) else value_text(value)


@sweep.command("list", epilog="Example: netdesc sweep list sweeps/digits --csv > trials.csv")
@click.argument("folder", metavar="S", type=options.PATH)
@click.option("--csv", "as_csv", is_flag=True, help="Print a table of comma-separated values.")
@options.json_and_quiet
def list_trials(output: Output, folder: Path, as_csv: bool) -> None:
    """List the trials of the sweep in S: the best first, then the others in their order.

    Results are medians over the seeds, and spreads are highest minus lowest.
    """
    from netdesc.runs.listing import short_names
    from netdesc.sweeps.results import read_table

    table = read_table(folder)
    if output.as_json:
        output.print_json(_record(table))
        return
    metrics = [metric for metric, _ in table.objectives]
    has_spreads = any(any(row.spreads or ()) for row in table.trials)
    spreads = [f"{metric} spread" for metric in metrics] if has_spreads else []
    has_variants = any(row.variant for row in table.trials)
    names = short_names(table.parameters)
    headings = ["trial", "status", *metrics, *spreads, *["variant"] * has_variants]
    headings += [*(table.parameters if as_csv else names.values()), "reason"]
    order = {number: rank for rank, number in enumerate(table.front)}
    cell = _csv_cell if as_csv else _table_cell
    rows: list[list[object]] = []
    for row in sorted(table.trials, key=lambda row: order.get(row.number, len(order) + row.number)):
        numbers = [*(row.results or [""] * len(metrics))]
        numbers += [*(row.spreads or [""] * len(metrics))] if has_spreads else []
        values = [row.values.get(path, "") for path in table.parameters]
        texts = [*map(cell, numbers), *[row.variant] * has_variants, *map(cell, values)]
        rows.append([row.number, row.status, *texts, row.reason])
    if as_csv:
        output.print_csv([headings, *rows])
    else:
        output.print_table(headings, rows, right=[*metrics, *spreads])


@sweep.command(epilog="Example: netdesc sweep best sweeps/digits > best.json")
@click.argument("folder", metavar="S", type=options.PATH)
@options.json_and_quiet
def best(output: Output, folder: Path) -> None:
    """Print the document of the best trial in S, which netdesc train trains again.

    It has the values of the trial, and absolute paths of files. With several objectives, the best
    trial is that with the best first objective.
    """
    from netdesc.api.sweep import best_document
    from netdesc.description.overrides import json_text

    document = best_document(folder)
    if output.as_json:
        output.print_json(document)
    else:
        output.print_document(json_text(document, 2))


@sweep.command(epilog="Example: netdesc sweep report sweeps/digits")
@click.argument("folder", metavar="S", type=options.PATH)
@options.json_and_quiet
def report(output: Output, folder: Path) -> None:
    """Write S/sweep.html, which shows all trials, also while they run.

    If no trial is open, the runs of the best ones get their reports.
    """
    from netdesc.api.sweep import SWEEP_PAGE, SweepOptions, write_reports

    table = write_reports(folder, SweepOptions(info=output.info, warn=output.warn))
    path = str(folder / SWEEP_PAGE)
    if output.as_json:
        output.print_json({"report": path, **_record(table)})
    else:
        output.print(path)
