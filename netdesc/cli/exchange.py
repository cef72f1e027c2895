"""``netdesc export`` and ``netdesc import``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from netdesc.cli import options
from netdesc.cli.diagnostics_text import load_document
from netdesc.cli.output import Output


@click.command(
    epilog="Example: netdesc export runs/first -o runs/oxford.net",
)
@click.argument("source", metavar="RUN|FILE.json", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    "target",
    metavar="FILE.net",
    required=True,
    type=click.Path(path_type=Path),
    help="The file to write.",
)
@options.as_json
@click.pass_obj
def export(output: Output, source: Path, target: Path) -> None:
    """Write the network of the run in the folder RUN, with its best weights, as FILE.net.

    Of a document, as the import writes it, the weights that it names are written.
    """
    if target.suffix.lower() != ".net":
        name = f"{source.stem}.net"
        raise click.UsageError(f"{target}: netdesc exports .net files; name one, as {name}")
    from netdesc.api import compile as compiler
    from netdesc.exchange import export_net

    if source.suffix.lower() == ".json" and not source.is_dir():
        description = load_document(output, source, ())
        compiled = compiler.compile(description)
        warnings = compiler.untrained_warnings(description.document)
    else:
        _, compiled = compiler.compile_run(source)
        warnings = []
    warnings += export_net(compiled.model, target)
    for warning in warnings:
        output.complain(f"warning: {warning}")
    if output.as_json:
        output.give({"network": str(target), "warnings": warnings})
    else:
        output.note(f"wrote {target}")


@click.command("import", epilog="Example: netdesc import runs/oxford.net -o runs/imported")
@click.argument("file", metavar="FILE.net", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    "folder",
    metavar="DIR",
    default=Path(),
    type=click.Path(path_type=Path),
    help="Folder for the two files; the working directory by default.",
)
@options.as_json
@click.pass_obj
def import_command(output: Output, file: Path, folder: Path) -> None:
    """Turn FILE.net into a document, NAME.json, with its weights beside it, and show the layers.

    Files that exist are never overwritten.
    """
    from netdesc.exchange import import_net

    imported = import_net(file)
    document = imported.save(folder)
    for warning in imported.warnings:
        output.complain(f"warning: {warning}")
    if output.as_json:
        output.give(
            {
                "document": str(document),
                "layers": [asdict(row) for row in imported.table],
                "warnings": imported.warnings,
                "notes": imported.assumed,
            }
        )
        return
    output.table(
        ("layer", "name", "type", "input", "output", "threshold", "weights"),
        [
            (
                row.layer,
                row.name,
                row.type,
                row.input_size,
                row.output_size,
                "" if row.threshold is None else f"{row.threshold:g}",
                row.weights,
            )
            for row in imported.table
        ],
    )
    if imported.assumed:
        output.say("\nfilled in:")
        output.say("\n".join(f"- {note}" for note in imported.assumed))
    output.note(f"wrote {document} and {document.with_suffix('.safetensors').name}")
