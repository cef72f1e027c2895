"""``netdesc export`` and ``netdesc import``."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from netdesc.cli import options
from netdesc.cli.diagnostics_text import load_document
from netdesc.cli.output import Output

if TYPE_CHECKING:
    from netdesc.exchange.importer import ImportedLayer


@click.command(
    epilog="\b\nExamples:\n  netdesc export runs/first -o oxford.net\n"
    "  netdesc export runs/first -o oxford.nir --for spikingjelly"
)
@click.argument("source", metavar="RUN|FILE.json", type=options.PATH)
@options.output_path("FILE", "The file to write; its name says the format.", required=True)
@click.option(
    "--for",
    "reader",
    metavar="TOOL",
    help="Write a .nir file as TOOL reads it: snntorch, norse, spikingjelly, spyx, sinabs or "
    "rockpool.",
)
@click.option("--force", is_flag=True, help="Leave out what the format cannot say, with a warning.")
@options.json_and_quiet
def export(output: Output, source: Path, target: Path, reader: str | None, force: bool) -> None:
    """Write the network of a run or of a document as FILE.

    The end of FILE's name is .net for lava-dl, .nir for the many tools that read NIR, .c for
    microcontrollers, or .py for torch without netdesc. A run is exported with its best weights, a
    document with the weights file that it names, such as the file that "netdesc import" writes.
    """
    from netdesc.exchange.export_options import ExportOptions
    from netdesc.exchange.formats import format_to_write

    format_to_write(target, ExportOptions(target=reader))  # before anything that takes time
    from netdesc.api import export as exporting

    network = source if source.is_dir() else load_document(output, source, ())
    notes: list[str] = []
    warnings = exporting.export(network, target, target=reader, force=force, note=notes.append)
    output.warn(*warnings)
    if output.as_json:
        output.print_json({"network": str(target), "warnings": warnings, "notes": notes})
    else:
        output.print(*notes)
        output.info(f"wrote {target}")


@click.command("import", epilog="Example: netdesc import runs/oxford.net -o runs/imported")
@click.argument("file", metavar="FILE.net|FILE.nir", type=options.PATH)
@options.output_path(
    "DIR",
    "Folder for the two files. Default: the working directory.",
    name="folder",
    default=Path(),
    show_default=False,
)
@click.option(
    "--steps",
    type=click.IntRange(min=1),
    help="Number of steps of a sample. Default: the number in the file, or 1000 if it has none.",
)
@click.option(
    "--step-ms",
    type=options.Number(min=0, min_open=True, max=1e6),
    help="Length of a step in ms. Default: the length in the file, or 1 if it has none.",
)
@click.option(
    "--dt",
    type=options.Number(min=0, min_open=True, max=1e6),
    help="Of .nir files: seconds by which time constants are divided. Default: those in the file, "
    "or 1e-4.",
)
@click.option(
    "--reset",
    type=click.Choice(["zero", "subtract", "subtract_delayed"]),
    help="Of .nir files, which do not say it: what spikes do to voltages. Default: zero.",
)
@click.option(
    "--bits",
    type=click.Choice(["8", "float"]),
    help="Of .nir files: weights of 8 bits, or unquantised ones, whose spikes are those of the "
    "file. Default: 8 if the device's grid holds all numbers.",
)
@options.json_and_quiet
def import_command(
    output: Output, file: Path, folder: Path, steps: int | None, **values: float | str | None
) -> None:
    """Convert a network file to a document, NAME.json, and a file of weights, and show the layers.

    The table says what was inferred and what is unknown of each layer. The command fills in what
    the file does not hold, such as the loss, and lists it. It never overwrites existing files.
    """
    from netdesc.description.models.arrays import DATA_EXAMPLE
    from netdesc.description.models.document import MAX_STEPS
    from netdesc.exchange.formats import read_network

    if steps is not None and steps > MAX_STEPS:
        raise click.UsageError(f"--steps: a sample has at most {MAX_STEPS:,} steps, not {steps:,}")
    if folder.suffix == ".json":
        raise click.UsageError(f"-o names the folder of the two files, such as {folder.parent}")
    imported = read_network(file, steps=steps, **values)
    document = imported.save(folder)
    output.warn(*imported.warnings)
    if output.as_json:
        output.print_json(
            document=str(document),
            layers=[asdict(row) for row in imported.table],
            warnings=imported.warnings,
            notes=imported.assumptions,
        )
        return
    rows = [_row(layer) for layer in imported.table]
    columns = [name for name in rows[0] if any(row[name] != "" for row in rows)]
    headings = [name.removesuffix("_shape") for name in columns]
    output.print_table(headings, [[row[name] for name in columns] for row in rows])
    output.print("", "filled in for training, because the file does not say:")
    output.print(*(f"- {note}" for note in imported.assumptions))
    first, image = imported.description["layers"][0], ""
    if first["type"] == "neurons" and first["neuron"]:
        image = '; if a sample is one image, with "encoding": {"type": "constant"}'
    output.print(
        f"to state other values, edit {document}, or give train the options in brackets with "
        f"other values; to train, add data, such as {DATA_EXAMPLE}{image}"
    )
    output.info(f"wrote {document} and {document.with_suffix('.safetensors').name}")


def _row(layer: "ImportedLayer") -> dict[str, Any]:
    row = asdict(layer) | {"inferred": "; ".join(layer.inferred)}
    row |= {name: "×".join(map(str, row[name])) for name in ("input_shape", "output_shape")}
    threshold = "" if layer.threshold is None else f"{layer.threshold:g}"
    return row | {"threshold": threshold, "unknown": ", ".join(layer.unknown)}
