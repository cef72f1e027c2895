"""``netdesc compile``."""

from __future__ import annotations

import time
from pathlib import Path

import click

from netdesc.cli import diagnostics_text, options
from netdesc.cli.output import Output
from netdesc.cli.show import graph_record, print_graph


@click.command("compile", epilog="Example: netdesc compile examples/oxford.json")
@options.document
@options.overrides
@options.engine
@options.json_and_quiet
def compile_command(output: Output, file: Path, overrides: tuple[str, ...], engine: str) -> None:
    """Check FILE.json, build the network and compile its kernels, as training would.

    If FILE.json has data, the first batch is computed. The command writes only the cache of
    compiled kernels, which later commands use.
    """
    description = diagnostics_text.load_document(output, file, overrides)
    output.info("loading torch …")
    from netdesc.api.compile import open_network
    from netdesc.api.kernels import layer_reports
    from netdesc.kernels.engine import use_engine

    start = time.perf_counter()
    opened = open_network(description)
    compiled = opened.compiled
    output.warn(*opened.file_warnings)
    built = time.perf_counter()
    with use_engine(engine):
        reports = layer_reports(description, compiled, "quiet" if output.quiet else "auto")
    done = time.perf_counter()
    if output.as_json:
        output.print_json(
            {
                **graph_record(compiled.graph),
                "engines": [
                    {"layer": report.name, "engine": report.engine, "path": report.path}
                    for report in reports
                ],
                "build_s": round(built - start, 3),
                "kernels_s": round(done - built, 3),
            }
        )
        return
    print_graph(output, compiled.graph)
    engines = ", ".join(sorted({report.engine for report in reports}))
    output.print(
        f"built in {built - start:.2f} s; kernels of engine {engines} ready in {done - built:.2f} s"
    )
