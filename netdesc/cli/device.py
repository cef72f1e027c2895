"""The table of ``netdesc show --target``."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netdesc.cli.output import Output

if TYPE_CHECKING:
    from netdesc.graph import Graph
    from netdesc.graph.device_report import DeviceReport, Target


def read_report(
    graph: "Graph",
    source: Path,
    overrides: Sequence[str],
    target: "Target",
    kilobytes: dict[str, int | None],
) -> "DeviceReport":
    """Returns what a graph needs, with the operations of ``source`` if it is a run.

    ``kilobytes`` are the flash and the RAM of a microcontroller. NetFileError or HardwareError if C
    cannot hold a layer.
    """
    from netdesc.graph.device_report import device_report
    from netdesc.runs.activity_file import read_activity

    activity = read_activity(source, graph) if source.is_dir() else None
    operations: dict[str, Any] = {} if activity is None else activity.operations
    sizes, limits = dict[str, int](), dict[str, int | None]()
    if target == "microcontroller":
        from netdesc.api.compile import open_network
        from netdesc.api.export import own_sample
        from netdesc.api.load import load
        from netdesc.exchange.c.c_file import c_sizes
        from netdesc.exchange.export_options import ExportOptions

        network = load(source, overrides, with_files=False) if overrides else source
        opened = open_network(network, with_files=False)
        limits = {f"bytes of {name}": kb and 1024 * kb for name, kb in kilobytes.items()}
        options = ExportOptions(sample=own_sample(opened, []))  # on which the lists depend
        sizes = dict(zip(limits, c_sizes(opened.compiled.model, options), strict=True))
    return device_report(graph, target, operations, sizes, limits)


def print_report(output: Output, report: "DeviceReport") -> None:
    """Prints a table of the layers, what does not fit, and what the numbers rest on."""
    headings = (
        "layer", "neurons", "synapses", "fan-in", "bits", "weights (B)", "cores", "events",
        "operations", "energy (pJ)",
    )  # fmt: skip
    rows = [(layer.layer, *map(_cell, layer[1:])) for layer in (*report.layers, report.total)]
    hidden = {6} if report.sizes else set[int]()  # cores
    shown = [at for at in range(10) if at not in hidden and any(row[at] for row in rows)]
    names = [headings[at] for at in shown]
    output.print_table(names, [[row[at] for at in shown] for row in rows], right=names[1:])
    output.print("", *(f"{size:,} {name}" for name, size in report.sizes.items()))
    problems = [f"- {problem}" for problem in report.problems]
    output.print(*(["does not fit:", *problems] if problems else ["what is checked fits"]))
    output.print("", *(f"- {note}" for note in report.notes))


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"
