"""The table of ``netdesc show --target``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from netdesc.cli.output import Output

if TYPE_CHECKING:
    from netdesc.graph import Graph
    from netdesc.graph.device_report import DeviceReport, Target


def read_report(
    graph: "Graph", source: Path, target: "Target", flash_kb: int | None, ram_kb: int | None
) -> "DeviceReport":
    """Returns what a graph needs, with the operations of ``source`` if it is a run."""
    from netdesc.graph.device_report import device_report
    from netdesc.runs.activity_file import read_activity

    activity = read_activity(source, graph) if source.is_dir() else None
    operations: dict[str, Any] = {} if activity is None else activity.operations
    flash, ram = (kb and 1024 * kb for kb in (flash_kb, ram_kb))
    return device_report(graph, target, operations, flash, ram)


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
