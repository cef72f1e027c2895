"""``netdesc report``."""

from __future__ import annotations

from pathlib import Path

import click

from netdesc.cli import options
from netdesc.cli.output import Output


@click.command(epilog="Example: netdesc report runs/first")
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    "target",
    metavar="FILE.html",
    type=click.Path(path_type=Path),
    help="The file to write. Default: report.html in the run's folder.",
)
@click.option("--open", "opens", is_flag=True, help="Open the report in the browser.")
@options.as_json
@click.pass_obj
def report(output: Output, run: Path, target: Path | None, opens: bool) -> None:
    """Write the report of the run in the folder RUN and print the report's path.

    The report is one HTML file that needs no network and no other file. A run that failed or is
    still running can have a report, too.
    """
    from netdesc.report import write_report

    path = write_report(run, target, lambda text: output.error(f"warning: {text}"))
    if output.as_json:
        output.print_json({"report": str(path)})
    else:
        output.print(str(path))
    if opens:
        click.launch(str(path))
