"""``netdesc bench``."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netdesc.cli import options
from netdesc.cli.output import Output
from netdesc.cli.waiting import others_running, wait_for_the_load
from netdesc.shipped import shipped

if TYPE_CHECKING:
    from netdesc.benchmark import Report


@click.group(epilog="Example: netdesc bench oxford")
def bench() -> None:
    """Measure how long training takes."""


@bench.command(
    short_help="Time the epochs of the Oxford task, or of a document.",
    epilog="\b\nExamples:\n  netdesc bench oxford\n  netdesc bench oxford mine.json --epochs 500",
)
@click.argument("file", metavar="[FILE.json]", required=False, type=click.Path(path_type=Path))
@options.overrides
@click.option(
    "--epochs",
    type=click.IntRange(min=10),
    default=300,
    show_default=True,
    help="How many epochs to time, after a warm-up.",
)
@options.quiet
@options.as_json
@click.pass_obj
def oxford(output: Output, file: Path | None, overrides: tuple[str, ...], epochs: int) -> None:
    """Time the epochs of the Oxford task, or of FILE.json, whole and by part.

    The Oxford task is the one with slayer's published recipe, to compare with. Prints the median
    and the spread (tenth to ninetieth percentile) of the real training loop, which runs in a
    temporary folder.
    """
    if file is None:
        file = shipped("examples/oxford_slayer.json")
    output.note(f"training {file} for {epochs} epochs …")
    wait_for_the_load(os.environ, others_running())  # before torch is loaded
    from netdesc.benchmark import time_epochs

    report = time_epochs(file, overrides, epochs)
    if output.as_json:
        output.give(asdict(report))
    else:
        _print(output, report)


def _print(output: Output, report: Report) -> None:
    rows = [
        (
            timing.part,
            f"{timing.median_ms:8.3f}",
            f"{timing.low_ms:8.3f} to {timing.high_ms:.3f}",
            f"{timing.median_ms / report.epoch.median_ms:5.0%}",
        )
        for timing in (*report.parts, report.epoch)
    ]
    output.table(("part", "median ms", "10% to 90%", "share"), rows)
    rates = ", ".join(f"{name} {rate:.2%}" for name, rate in report.spike_rates.items())
    device, versions = report.conditions["device"], report.conditions["versions"]
    output.say(f"{report.epochs} epochs; best loss {report.best_loss:,.6g}; spikes a step: {rates}")
    output.say(
        f"{device['name']}, {device['threads']} threads, python {versions['python']}, "
        f"torch {versions['torch']}, numba {versions['numba']}, netdesc {versions['netdesc']}"
    )
