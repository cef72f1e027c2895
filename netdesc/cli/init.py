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
    show_default=True,
    help="oxford turns random spikes into a picture, digits tells handwritten digits apart, "
    "blank is small and for a network of your own.",
)
@click.option("--list", "lists", is_flag=True, help="Make nothing; say what the templates are.")
@click.option("--name", help="Name of the network; that of FOLDER by default, or of the template.")
@options.as_json
@options.quiet
@click.pass_obj
def init(output: Output, folder: Path | None, template: str, lists: bool, name: str | None) -> None:
    """Make a folder with a network that trains at once: its document, its data, a README.

    FOLDER must be new or empty; without it, a folder of the network's name is made here. The
    document's schema is put there as well, so that an editor completes and explains every field.
    """
    if lists:
        _list(output)
        return
    from netdesc.cli.scaffold import make_folder

    made = make_folder(folder, template, name)
    enter = [] if made.folder == Path() else [f"cd {shlex.quote(_place(made.folder))}"]
    if output.as_json:
        output.give(
            {
                "folder": str(made.folder),
                "document": str(made.document),
                "commands": enter + made.commands,
            }
        )
        return
    output.note(f"made {made.document}, with its data beside it; go on with:")
    output.say("\n".join(f"  {command}" for command in enter + made.commands))


def _list(output: Output) -> None:
    from netdesc.cli.scaffold import TEMPLATES

    if output.as_json:
        rows = [{"name": name, "summary": each.summary} for name, each in TEMPLATES.items()]
        output.give({"templates": rows})
    else:
        output.table(("template", ""), [(name, e.summary) for name, e in TEMPLATES.items()])


def _place(folder: Path) -> str:
    """The folder as an argument that no command takes for an option."""
    return f"./{folder}" if str(folder).startswith("-") else str(folder)
