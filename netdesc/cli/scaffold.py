"""``netdesc init``: a folder with a document, its data and all else that a first training needs."""

from __future__ import annotations

import contextlib
import json
import os
import posixpath
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import netdesc
from netdesc.description import load, schema_text
from netdesc.description.files.data_files import file_paths
from netdesc.description.json.reader import parse
from netdesc.description.json.tree import Parts
from netdesc.description.source import Source
from netdesc.events import from_dense, write_events
from netdesc.resources import shipped

SCHEMA = "schemas/network.schema.json"
"""In the folder; also where ``netdesc schema --write`` puts it, after an update of netdesc."""

_RUN = "runs/first"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_LOCK_SUFFIX = re.compile(r"(\.lock)+$", re.IGNORECASE)
"""The end of a name whose document would be taken for the lock of a run."""

Files = dict[str, bytes]
"""Contents by the path in the new folder."""


class ScaffoldError(ValueError):
    """The folder cannot be made as it was asked for; nothing was written."""

    exit_code = 2


@dataclass(frozen=True)
class Template:
    """What a folder starts from: the document at ``source``.

    Its data lie at ``place``, relative to the folder whose data are copied, unless ``make_data``
    makes them.
    """

    summary: str
    source: Callable[[], Path]
    place: str
    make_data: Callable[[], Files] | None = None


@dataclass(frozen=True)
class Scaffold:
    """A folder that was made. ``commands`` are the next three, to be given in it."""

    folder: Path
    document: Path
    commands: list[str]


def make_folder(folder: str | Path | None, template: str, name: str | None = None) -> Scaffold:
    """Makes ``folder`` from the ``template`` of that name.

    The network is called ``name``, or else like the folder; the folder like the name, or else like
    the template. ScaffoldError where the folder holds anything or the name is none, NotShippedError
    where the template's files are missing, OSError where nothing can be written.
    """
    target = Path(os.path.normpath(folder if folder is not None else name or template))
    if name is None:
        name = _name_for(target) or template
    elif not _NAME.fullmatch(name):
        raise ScaffoldError(
            f'"{name}" cannot name a network: use up to 100 letters, digits, "_", "." and "-", '
            "beginning with a letter, a digit or an underscore"
        )
    elif _LOCK_SUFFIX.search(name):
        raise ScaffoldError(
            f'"{name}" cannot name a network: {name}.json would be the lock of a run'
        )
    if target.is_dir() and any(target.iterdir()):
        raise ScaffoldError(
            f"{target} holds something already, and netdesc does not write into it: "
            "name a new folder"
        )
    if os.path.lexists(target) and not target.is_dir():
        raise ScaffoldError(f"{target} is no folder: name a new one")
    commands = [
        f"netdesc show {name}.json",
        f"netdesc compile-and-train {name}.json --run-dir {_RUN}",
        f"netdesc evaluate {_RUN}",
    ]
    _write(target, _files(TEMPLATES[template], name, commands))
    return Scaffold(target, target / f"{name}.json", commands)


def _name_for(folder: Path) -> str:
    """The folder's name as a network's, empty where nothing of it is left."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", folder.absolute().name).strip(".-")[:100]
    return _LOCK_SUFFIX.sub("", name)


def _files(template: Template, name: str, commands: list[str]) -> Files:
    """The document with the new name and places, the data it refers to, schema and README.

    Data keep the folder that they have in the repository, with its licence beside them.
    """
    source = template.source()
    document = load(source, with_files=False).document
    home = posixpath.dirname(template.place)
    places = {
        parts: posixpath.normpath(posixpath.join(home, path))
        for parts, path in file_paths(document).items()
    }
    text = _rewrite(
        source.read_text(encoding="utf-8"), {("$schema",): SCHEMA, ("name",): name, **places}
    )
    texts = {
        f"{name}.json": text,
        SCHEMA: schema_text(),
        ".gitignore": "runs/\n",
        "README.md": _readme(name, document.description, commands),
    }
    files = {path: text.encode() for path, text in texts.items()}
    if template.make_data is not None:
        return files | template.make_data()
    for folder in {posixpath.dirname(place) for place in places.values()}:
        for path in shipped(folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                inside = path.relative_to(shipped(folder)).as_posix()
                files[f"{folder}/{inside}"] = path.read_bytes()
    return files


def _write(folder: Path, files: Files) -> None:
    """Writes all files into a folder that is new or empty, or leaves nothing of them behind.

    OSError, of the folder as it was named, where that cannot be done.
    """
    made: list[Path] = []
    try:
        for name, content in files.items():
            path = folder / name
            missing = [each for each in path.parents if not each.exists()]
            for parent in reversed(missing):
                parent.mkdir()
                made.append(parent)
            with path.open("xb") as file:
                made.append(path)
                file.write(content)
    except BaseException as error:
        for path in reversed(made):
            with contextlib.suppress(OSError):
                path.rmdir() if path.is_dir() else path.unlink()
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, str(folder)) from error
        raise


def _rewrite(text: str, changes: Mapping[Parts, str]) -> str:
    """The text of a document with other strings at some places, and otherwise as it was."""
    root = parse(Source(text, "template")).root
    assert root is not None, "the document was loaded from this text"
    spots = [(root.find(parts), value) for parts, value in changes.items()]
    found = sorted((node.start, node.end, value) for node, value in spots if node is not None)
    for start, end, value in reversed(found):
        text = text[:start] + json.dumps(value) + text[end:]
    return text


def _readme(name: str, about: str, commands: list[str]) -> str:
    show, train, evaluate = commands
    return f"""# {name}

{about}

```bash
{show}
{train}
{evaluate}
```

The first shows the layers, the second trains them, the third says how well they do. Then open
`{_RUN}/report.html`.

| file | what it holds |
|---|---|
| `{name}.json` | network, data and training; `netdesc validate {name}.json` checks it |
| `data/` | what it trains on |
| `{SCHEMA}` | lets an editor complete and explain every field |
| `runs/` | what training makes; git is told to leave it out |
"""


def _make_waves() -> Files:
    """A pair for the blank template: random spikes in; out, each neuron a little after the last."""
    steps, inputs, outputs = 200, 40, 20
    random = np.random.default_rng(0).random((steps, inputs)) < 0.05
    later = np.arange(steps)[:, None] - 3 * np.arange(outputs)
    waves = (later >= 20) & (later % 40 == 20)
    files: Files = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, spikes in (("input.bs1", random), ("target.bs1", waves)):
            write_events(Path(folder) / name, from_dense(spikes, 1.0))
            files[f"data/{name}"] = (Path(folder) / name).read_bytes()
    return files


def _example(name: str, summary: str) -> Template:
    place = f"examples/{name}.json"
    return Template(summary, lambda: shipped(place), place)


TEMPLATES = {
    "oxford": _example("oxford", "Random spikes become a picture of the Radcliffe Camera."),
    "digits": _example("digits", "Handwritten digits are told apart."),
    "blank": Template(
        "A small network to make your own, with a spike pair made for it.",
        lambda: Path(netdesc.__file__).parent / "templates" / "blank.json",
        "blank.json",
        _make_waves,
    ),
}
