"""The options and the tables of ``netdesc show --target``."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from netdesc.cli.output import Output

if TYPE_CHECKING:
    from netdesc.graph import Graph
    from netdesc.graph.device_report import DeviceReport, Target


@dataclass(frozen=True)
class DeviceOptions:
    """The device that ``--target`` names; ``flash_kb`` and ``ram_kb`` are in 1,024 bytes."""

    target: "Target"
    flash_kb: int | None
    ram_kb: int | None

    def report(self, graph: "Graph", source: Path) -> "DeviceReport":
        """Returns what a graph needs, with the spikes of ``source`` if it is a run."""
        from netdesc.description.shapes import INPUT
        from netdesc.graph.device_report import KILOBYTE, device_report
        from netdesc.runs.activity_file import read_activity

        activity = read_activity(source, graph) if source.is_dir() else None
        events: dict[str, Any] = {} if activity is None else dict(activity.rates)
        if activity is not None and activity.input_rates is not None:
            events[INPUT] = activity.input_rates
        flash, ram = (kb and kb * KILOBYTE for kb in (self.flash_kb, self.ram_kb))
        return device_report(graph, self.target, events, flash=flash, ram=ram)


def device_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds ``--target``, ``--flash`` and ``--ram`` to a command, as the parameter ``device``."""

    @click.option(
        "--target",
        type=click.Choice(["loihi2", "microcontroller"]),
        help="Show what the network needs on this device.",
    )
    @click.option("--flash", type=click.IntRange(min=1), metavar="KB", help="Its flash, in KB.")
    @click.option("--ram", type=click.IntRange(min=1), metavar="KB", help="Its RAM, in KB.")
    @functools.wraps(command)
    def with_device(
        *args: Any, target: "Target | None", flash: int | None, ram: int | None, **more: Any
    ) -> Any:
        if target != "microcontroller" and (flash, ram) != (None, None):
            raise click.UsageError("--flash and --ram need --target microcontroller")
        device = None if target is None else DeviceOptions(target, flash, ram)
        return command(*args, device=device, **more)

    return with_device


def print_report(output: Output, report: "DeviceReport") -> None:
    """Prints a table of the layers, what does not fit, and what the numbers rest on."""
    headings = (
        "layer", "neurons", "synapses", "fan-in", "bits", "tables (B)", "state (B)", "cores",
        "events", "operations", "energy (pJ)",
    )  # fmt: skip
    rows = [(each.layer, *map(_cell, each[1:])) for each in (*report.layers, report.total)]
    dropped = (7,) if report.target == "microcontroller" else (5, 6)
    shown = [at for at in range(11) if at not in dropped and any(row[at] for row in rows)]
    names = [headings[at] for at in shown]
    output.print_table(names, [[row[at] for at in shown] for row in rows], right=names[1:])
    problems = [f"- {problem}" for problem in report.problems]
    output.print("", *(["does not fit:", *problems] if problems else ["what is checked fits"]))
    output.print("", *(f"- {note}" for note in report.notes))


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"
