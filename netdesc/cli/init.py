"""``netdesc init``."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from netdesc.cli import options
from netdesc.cli.output import Output

TEMPLATES = ("oxford", "digits", "blank")


@click.command(
    epilog="\b\nExamples:\n  netdesc init first\n  netdesc init mine --template blank --name reach"
)
@click.argument("folder", metavar="[FOLDER]", required=False, type=click.Path(path_type=Path))
@click.option(
    "--template",
    type=click.Choice(TEMPLATES),
    default=TEMPLATES[0],
    help="oxford turns random spikes into a picture, digits classifies handwritten digits, "
    "blank is a small start for a network of your own.",
)
@click.option("--name", help="Name of the network. Default: the name of FOLDER or of the template.")
@options.json_and_quiet
def init(output: Output, folder: Path | None, template: str, name: str | None) -> None:
    """Create a folder with a network that is ready to train: a document, its data and a README.

    FOLDER must be new or empty. Default: a folder with the network's name in the working directory.
    The folder also gets the document's schema, with which an editor completes and explains fields.
    """
    from netdesc.cli.scaffold import make_folder

    scaffold = make_folder(folder, template, name)
    commands, argument = scaffold.commands, str(scaffold.folder)
    if scaffold.folder != Path():
        if argument.startswith("-"):  # without "./" it would look like an option
            argument = f"./{argument}"
        commands = [f"cd {shlex.quote(argument)}", *commands]
    if output.as_json:
        output.print_json(
            {
                "folder": str(scaffold.folder),
                "document": str(scaffold.document),
                "commands": commands,
            }
        )
        return
    output.info(f"created {scaffold.document} and its data; continue with:")
    output.print(*(f"  {command}" for command in commands))
