"""``netdesc init``: creates a folder with a document, its data, a README and the schema."""

import contextlib
import json
import os
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import click

from netdesc.cli import options
from netdesc.cli.output import Output
from netdesc.resources import shipped

TEMPLATES = {
    "oxford": "examples/oxford.json",
    "digits": "examples/digits.json",
    "blank": "netdesc/templates/blank.json",
}
SCHEMA = "schemas/network.schema.json"
"""The path of the schema in the new folder, where ``netdesc schema --write`` updates it."""

_NAME = re.compile(r"\w[\w.-]{0,99}(?<!\.lock)", re.IGNORECASE | re.ASCII)
"""A network's name. The document of ``x.lock``, ``x.lock.json``, would look like a run's lock."""


@click.command(
    epilog="\b\nExamples:\n  netdesc init first\n  netdesc init mine --template blank --name reach"
)
@click.argument("folder", metavar="[FOLDER]", required=False, type=options.PATH)
@click.option(
    "--template",
    type=click.Choice([*TEMPLATES]),
    default="oxford",
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
    target = Path(os.path.normpath(folder if folder is not None else name or template))
    if name is None:
        name = network_name(target) or template
    elif not _NAME.fullmatch(name):
        raise click.UsageError(
            f'"{name}" cannot be the name of a network: use up to 100 letters, digits, "_", "." '
            'and "-", begin with a letter, a digit or "_", and do not end in ".lock"'
        )
    if target.is_dir() and any(target.iterdir()):
        raise click.UsageError(f"{target} is not empty: choose a new or empty folder")
    if os.path.lexists(target) and not target.is_dir():
        raise click.UsageError(f"{target} is not a folder: choose a new name")
    commands = [
        f"netdesc show {name}.json",
        f"netdesc compile-and-train {name}.json --run-dir runs/first",
        "netdesc evaluate runs/first",
    ]
    with _whole_folder(target):
        _write(target, TEMPLATES[template], name, commands)
    if target != Path():
        # Without "./" the name could look like an option.
        path = f"./{target}" if str(target).startswith("-") else str(target)
        commands = [f"cd {shlex.quote(path)}", *commands]
    document = target / f"{name}.json"
    if output.as_json:
        output.print_json({"folder": str(target), "document": str(document), "commands": commands})
        return
    output.info(f"created {document} and its data; continue with:")
    output.print(*(f"  {command}" for command in commands))


def network_name(folder: Path) -> str:
    """Makes a network name from the folder's name; empty if it has no valid character."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", folder.absolute().name).strip(".-")[:100]
    return re.sub(r"(\.lock)+$", "", name, flags=re.IGNORECASE)


@contextlib.contextmanager
def _whole_folder(folder: Path) -> Iterator[None]:
    """Creates a folder, and removes what the block wrote if it fails. OSError names ``folder``."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException as error:
        for path in missing[-1:] or [*folder.iterdir()]:
            with contextlib.suppress(OSError):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, str(folder)) from error
        raise


def _write(folder: Path, template: str, name: str, commands: list[str]) -> None:
    """Writes the document with its new name and paths, its data, the schema and a README.

    Data files have the same paths as in the repository. Their whole folder is copied, because it
    also contains the licence of the data.
    """
    from netdesc.description import load, schema_text
    from netdesc.description.document_text import document_text
    from netdesc.description.file_references import file_references
    from netdesc.description.json_pointer import lookup

    source = shipped(template)
    document = load(source).document
    content = json.loads(source.read_text("utf-8")) | {"$schema": SCHEMA, "name": name}
    data_folders: set[str] = set()
    for file in file_references(document):
        path = file.path.removeprefix("../")
        lookup(content, file.parts[:-1])[file.parts[-1]] = path
        data_folders.add(str(Path(path).parent))
    if template == TEMPLATES["blank"]:
        _write_waves(folder / "data")
    else:
        for data in data_folders:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(shipped(data), folder / data, ignore=ignored)
    texts = {
        f"{name}.json": document_text(content),
        SCHEMA: schema_text(),
        ".gitignore": "runs/\n",
        "README.md": shipped("netdesc/templates/README.md")
        .read_text(encoding="utf-8")
        .format(name=name, description=document.description, commands="\n".join(commands)),
    }
    (folder / SCHEMA).parent.mkdir()
    for path, text in texts.items():
        (folder / path).write_text(text, "utf-8", newline="\n")


def _write_waves(folder: Path) -> None:
    """Writes random input, and a target in which each neuron spikes 3 steps after the previous."""
    import numpy as np

    from netdesc.events import from_dense, write_events

    steps, inputs, outputs = 200, 40, 20
    input_TN = np.random.default_rng(0).random((steps, inputs)) < 0.05
    shifted_TN = np.arange(steps)[:, None] - 3 * np.arange(outputs)
    target_TN = (shifted_TN >= 20) & (shifted_TN % 40 == 20)
    folder.mkdir()
    for name, spikes in (("input.bs1", input_TN), ("target.bs1", target_TN)):
        write_events(folder / name, from_dense(spikes, 1.0))
