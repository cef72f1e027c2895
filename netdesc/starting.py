"""``netdesc init``: a folder with a document, its data and all else that a first training needs."""

from __future__ import annotations

import json
import os
import posixpath
import re
import secrets
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from netdesc.description import load, schema_text
from netdesc.description.data_files import paths_of
from netdesc.description.json.reader import parse
from netdesc.description.source import Source
from netdesc.description.tree import Parts
from netdesc.events import from_dense, write_events
from netdesc.shipped import shipped

SCHEMA = "schemas/network.schema.json"
"""In the folder; also where ``netdesc schema --write`` puts it, after an update of netdesc."""

_RUN = "runs/first"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_LOCKED = re.compile(r"(\.lock)+$", re.IGNORECASE)
"""The end of a name whose document would be taken for the lock of a run."""


class StartError(ValueError):
    """The folder cannot be made as it was asked for; nothing was written."""

    exit_code = 2


@dataclass(frozen=True)
class Template:
    """What a folder starts from: a text, ``source``, that lies at ``place``.

    ``place`` is relative to the folder that the document's data are copied from. Where
    ``make_data`` is given, it writes the data instead.
    """

    summary: str
    source: Callable[[], Path]
    place: str
    make_data: Callable[[Path], None] | None = None


@dataclass(frozen=True)
class Started:
    """A folder that was made. ``commands`` are the next three, to be given in it."""

    folder: Path
    document: Path
    commands: list[str]


def start(folder: str | Path | None, template: str, name: str | None = None) -> Started:
    """Makes ``folder`` from the ``template`` of that name and checks its document.

    The network is called ``name``, or else like the folder; the folder like the name, or else like
    the template. StartError where the folder holds anything or the name is none, NotShippedError
    where the template's files are missing, OSError where nothing can be written.
    """
    target = Path(os.path.normpath(folder if folder is not None else name or template))
    if name is None:
        name = _name_for(target) or template
    elif not _NAME.fullmatch(name):
        raise StartError(
            f'"{name}" cannot name a network: use up to 100 letters, digits, "_", "." and "-", '
            "beginning with a letter, a digit or an underscore"
        )
    elif _LOCKED.search(name):
        raise StartError(f'"{name}" cannot name a network: {name}.json would be the lock of a run')
    _refuse_a_used(target)
    chosen = TEMPLATES[template]
    text = chosen.source().read_text(encoding="utf-8")
    document = f"{name}.json"
    commands = [
        f"netdesc show {document}",
        f"netdesc compile-and-train {document} --run-dir {_RUN}",
        f"netdesc evaluate {_RUN}",
    ]

    def fill(new: Path) -> None:
        _write_document(new / document, text, chosen, name)
        if chosen.make_data is not None:
            chosen.make_data(new)
        (new / SCHEMA).parent.mkdir()
        (new / SCHEMA).write_text(schema_text(), encoding="utf-8")
        (new / ".gitignore").write_text("runs/\n", encoding="utf-8")
        about = load(new / document).document.description
        (new / "README.md").write_text(_readme(name, about, commands), encoding="utf-8")

    _build(target, fill)
    return Started(target, target / document, commands)


def _name_for(folder: Path) -> str:
    """The folder's name as a network's, empty where nothing of it is left."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", folder.absolute().name).strip(".-")[:100]
    return _LOCKED.sub("", name)


# The folder: whole or not at all


def _refuse_a_used(folder: Path) -> None:
    if folder.is_dir():
        if any(folder.iterdir()):
            raise StartError(
                f"{folder} holds something already, and netdesc does not write into it: "
                "name a new folder"
            )
    elif os.path.lexists(folder):
        raise StartError(f"{folder} is no folder: name a new one")


def _build(folder: Path, fill: Callable[[Path], None]) -> None:
    """Has ``fill`` make the folder's contents beside their place, then moves them there.

    A new folder appears in one step, with all folders that it needs above it. A folder that is
    there, and empty, stays the same folder: it may be the one that the user is in.
    """
    if folder.is_dir():
        home, inside, place = folder, Path(), None
    else:
        home = next(each for each in folder.absolute().parents if each.exists())
        first, *others = folder.absolute().relative_to(home).parts
        inside, place = Path(*others), home / first
    workshop = home / f".netdesc-init-{secrets.token_hex(6)}"
    try:
        (workshop / inside).mkdir(parents=True)
        fill(workshop / inside)
        if place is not None:
            os.rename(workshop, place)
        else:
            _move_contents(workshop, folder)
    except BaseException as error:
        shutil.rmtree(workshop, ignore_errors=True)
        if isinstance(error, OSError) and _is_below(error.filename, workshop):
            raise OSError(error.errno, error.strerror, str(folder)) from error
        raise


def _is_below(path: object, folder: Path) -> bool:
    return isinstance(path, str | os.PathLike) and Path(path).is_relative_to(folder)


def _move_contents(workshop: Path, folder: Path) -> None:
    moved: list[Path] = []
    try:
        for each in sorted(workshop.iterdir()):
            os.rename(each, folder / each.name)
            moved.append(folder / each.name)
        workshop.rmdir()
    except BaseException:
        for each in moved:
            shutil.rmtree(each) if each.is_dir() else each.unlink()
        raise


# The document and its data


def _write_document(path: Path, text: str, template: Template, name: str) -> None:
    """Writes the template's text with the new name and places, and copies the data it refers to.

    Data keep the folder that they have in the repository, with its licence beside them.
    """
    path.write_text(text, encoding="utf-8")
    quoted = paths_of(load(path, with_files=False).document)
    places = {
        parts: posixpath.normpath(posixpath.join(posixpath.dirname(template.place), each))
        for parts, each in quoted.items()
    }
    changed = _rewritten(text, {("$schema",): SCHEMA, ("name",): name, **places})
    path.write_text(changed, encoding="utf-8")
    if template.make_data is None:
        for data in {posixpath.dirname(place) for place in places.values()}:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(shipped(data), path.parent / data, ignore=ignored)


def _rewritten(text: str, changes: Mapping[Parts, str]) -> str:
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


def _make_waves(folder: Path) -> None:
    """A pair for the blank template: random spikes in; out, each neuron a little after the last."""
    steps, inputs, outputs = 200, 40, 20
    random = np.random.default_rng(0).random((steps, inputs)) < 0.05
    later = np.arange(steps)[:, None] - 3 * np.arange(outputs)
    waves = (later >= 20) & (later % 40 == 20)
    (folder / "data").mkdir()
    write_events(folder / "data" / "input.bs1", from_dense(random, 1.0))
    write_events(folder / "data" / "target.bs1", from_dense(waves, 1.0))


def _example(name: str, summary: str) -> Template:
    place = f"examples/{name}.json"
    return Template(summary, lambda: shipped(place), place)


TEMPLATES = {
    "oxford": _example("oxford", "Random spikes become a picture of the Radcliffe Camera."),
    "digits": _example("digits", "Handwritten digits are told apart."),
    "blank": Template(
        "A small network to make your own, with a spike pair made for it.",
        lambda: Path(__file__).parent / "templates" / "blank.json",
        "blank.json",
        _make_waves,
    ),
}
