"""``netdesc bench``."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netdesc.cli import options
from netdesc.cli.output import Output
from netdesc.resources import shipped

if TYPE_CHECKING:
    from netdesc.api.bench import Report


@click.command(
    epilog="\b\nExamples:\n  netdesc bench\n  netdesc bench mine.json --epochs 500\n"
    "  netdesc bench --device cuda --json"
)
@click.argument("file", metavar="[FILE.json]", required=False, type=options.PATH)
@options.overrides
@click.option(
    "--epochs",
    type=click.IntRange(10, 1_000_000),
    default=300,
    help="Number of epochs to time, after a warm-up.",
)
@click.option(
    "--device", type=click.Choice(["cpu", "cuda"]), default="cpu", help="The device to compute on."
)
@options.json_and_quiet
def bench(
    output: Output, file: Path | None, overrides: tuple[str, ...], epochs: int, device: str
) -> None:
    """Time the training epochs of FILE.json or of the Oxford task, and the parts of an epoch.

    The Oxford task uses slayer's published recipe. The command runs the real training loop in a
    temporary folder and prints median, tenth and ninetieth percentile of each time.
    """
    from netdesc.api.bench import time_epochs
    from netdesc.training.device import choose_device

    choose_device(device)
    file = file or shipped("examples/oxford_slayer.json")
    report = time_epochs(file, overrides, epochs, device, output.info)
    if output.as_json:
        output.print_json(asdict(report))
    else:
        _print(output, report)


def _print(output: Output, report: "Report") -> None:
    rows = [
        (
            timing.part,
            f"{timing.median_ms:8.3f}",
            f"{timing.low_ms:8.3f} to {timing.high_ms:.3f}",
            f"{report.shares.get(timing.part, 1):5.0%}",
        )
        for timing in (*report.parts, report.epoch)
    ]
    output.print_table(("part", "median ms", "10% to 90%", "share"), rows)
    rates = ", ".join(f"{name} {rate:.2%}" for name, rate in report.spike_rates.items())
    epochs, loss = report.epochs, report.best_loss
    output.print(f"{epochs} epochs; best loss {loss:,.6g}; spikes per step: {rates}")
    if report.peak_bytes is not None:
        output.print(f"peak memory of the run: about {report.peak_bytes / 1e6:.3g} MB")
    device = report.conditions["device"]
    versions = ", ".join(f"{name} {each}" for name, each in report.conditions["versions"].items())
    threads = "" if device["threads"] is None else f", {device['threads']} threads"
    output.print(f"{versions}; {device['type']} {device['name']}{threads}")
