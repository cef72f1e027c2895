"""Creates the folder of ``netdesc init``: a document, its data, a README and the schema."""

from __future__ import annotations

import contextlib
import json
import os
import posixpath
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from netdesc.description import load, schema_text
from netdesc.description.document_text import document_text
from netdesc.description.files.data_files import file_paths
from netdesc.description.json_pointer import lookup
from netdesc.events import from_dense, write_events
from netdesc.resources import shipped

SCHEMA = "schemas/network.schema.json"
"""The path of the schema in the new folder, where ``netdesc schema --write`` updates it."""

_RUN = "runs/first"
_LOCK_SUFFIX = re.compile(r"(\.lock)+$", re.IGNORECASE)
_NAME = re.compile(r"\w[\w.-]{0,99}(?<!\.lock)", re.IGNORECASE | re.ASCII)
"""A network's name. The document of ``x.lock``, ``x.lock.json``, would look like a run's lock."""

Files = dict[str, bytes]
"""File contents by path, relative to the new folder."""


class ScaffoldError(ValueError):
    """The requested folder cannot be created. Nothing was written."""

    exit_code = 2


@dataclass(frozen=True)
class Template:
    """A template of ``netdesc init``: a document, by its path in the repository, and its data.

    If ``make_data`` is not None, it generates the data and no files are copied.
    """

    path: str
    make_data: Callable[[], Files] | None = None


@dataclass(frozen=True)
class Scaffold:
    """A created folder. ``commands`` are three commands to run next in the folder."""

    folder: Path
    document: Path
    commands: list[str]


def make_folder(folder: str | Path | None, template: str, name: str | None = None) -> Scaffold:
    """Creates ``folder``, by default ``name`` or the template's name, from a template.

    ``name`` is the network's name, by default the folder's name. ScaffoldError if the folder is not
    empty or the name is not valid, NotShippedError if files of the template are missing, OSError if
    a file cannot be written.
    """
    target = Path(os.path.normpath(folder if folder is not None else name or template))
    if name is None:
        name = _network_name(target) or template
    elif not _NAME.fullmatch(name):
        raise ScaffoldError(
            f'"{name}" cannot be the name of a network: use up to 100 letters, digits, "_", "." '
            'and "-", begin with a letter, a digit or "_", and do not end in ".lock"'
        )
    if target.is_dir() and any(target.iterdir()):
        raise ScaffoldError(f"{target} is not empty: choose a new or empty folder")
    if os.path.lexists(target) and not target.is_dir():
        raise ScaffoldError(f"{target} is not a folder: choose a new name")
    commands = [
        f"netdesc show {name}.json",
        f"netdesc compile-and-train {name}.json --run-dir {_RUN}",
        f"netdesc evaluate {_RUN}",
    ]
    _write_files(target, _collect_files(TEMPLATES[template], name, commands))
    return Scaffold(target, target / f"{name}.json", commands)


def _network_name(folder: Path) -> str:
    """Makes a network name from the folder's name; empty if it has no valid character."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", folder.absolute().name).strip(".-")[:100]
    return _LOCK_SUFFIX.sub("", name)


def _collect_files(template: Template, name: str, commands: list[str]) -> Files:
    """Returns the document with the new name and paths, its data, the schema and a README.

    The README lists ``commands``. Data files have the same paths as in the repository. Their whole
    folder is copied, because it also contains the licence of the data.
    """
    source = shipped(template.path)
    document = load(source).document
    paths = {parts: path.removeprefix("../") for parts, path in file_paths(document).items()}
    content = json.loads(source.read_text(encoding="utf-8")) | {"$schema": SCHEMA, "name": name}
    for parts, path in paths.items():
        lookup(content, parts[:-1])[parts[-1]] = path
    texts = {
        f"{name}.json": document_text(content),
        SCHEMA: schema_text(),
        ".gitignore": "runs/\n",
        "README.md": _readme(name, document.description, commands),
    }
    files = {path: text.encode() for path, text in texts.items()}
    if template.make_data is not None:
        return files | template.make_data()
    for folder in {posixpath.dirname(path) for path in paths.values()}:
        for path in shipped(folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                relative = path.relative_to(shipped(folder)).as_posix()
                files[f"{folder}/{relative}"] = path.read_bytes()
    return files


def _write_files(folder: Path, files: Files) -> None:
    """Writes all files into a new or empty folder, or none of them. OSError names ``folder``."""
    created: list[Path] = []
    try:
        for name, content in files.items():
            path = folder / name
            missing = [each for each in path.parents if not each.exists()]
            for parent in reversed(missing):
                parent.mkdir()
                created.append(parent)
            with path.open("xb") as file:
                created.append(path)
                file.write(content)
    except BaseException as error:
        for path in reversed(created):
            with contextlib.suppress(OSError):
                path.rmdir() if path.is_dir() else path.unlink()
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, str(folder)) from error
        raise


def _readme(name: str, description: str, commands: list[str]) -> str:
    show, train, evaluate = commands
    return f"""# {name}

{description}

```bash
{show}
{train}
{evaluate}
```

The first command shows the layers, the second trains the network, the third measures it. Then open
`{_RUN}/report.html`.

| file | content |
|---|---|
| `{name}.json` | network, data and training; `netdesc validate {name}.json` checks it |
| `data/` | the training data |
| `{SCHEMA}` | lets an editor complete and explain every field |
| `runs/` | the results of training; git ignores this folder |
"""


def _make_waves() -> Files:
    """Makes data for the blank template: random input, and a target in which each neuron spikes 3
    steps after the previous neuron."""
    steps, inputs, outputs = 200, 40, 20
    input_TN = np.random.default_rng(0).random((steps, inputs)) < 0.05
    shifted_TN = np.arange(steps)[:, None] - 3 * np.arange(outputs)
    target_TN = (shifted_TN >= 20) & (shifted_TN % 40 == 20)
    files: Files = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, spikes in (("input.bs1", input_TN), ("target.bs1", target_TN)):
            write_events(Path(folder) / name, from_dense(spikes, 1.0))
            files[f"data/{name}"] = (Path(folder) / name).read_bytes()
    return files


TEMPLATES = {
    "oxford": Template("examples/oxford.json"),
    "digits": Template("examples/digits.json"),
    "blank": Template("netdesc/templates/blank.json", _make_waves),
}
