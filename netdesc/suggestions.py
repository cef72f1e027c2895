"""What could be typed next on a command line: keys of a document, runs, files, codes.

For shell completion, so that it is quick, never fails, and says nothing where it knows nothing.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args, get_origin

_RUNS = Path("runs")
_UNSET = {"$schema", "format", "lock"}
"""Fields of a document that ``--set`` has no business with."""


class Suggestion(NamedTuple):
    """A text, and a few words on it for shells that show them.

    A text that ends in ``=``, ``.`` or ``/`` is to be typed on.
    """

    text: str
    about: str = ""


# Keys and values of --set


def overrides(typed: str, document: Path | None) -> list[Suggestion]:
    """How ``typed``, the beginning of a KEY=VALUE, could go on.

    Which layers and neurons there are, and of which type they are, is read from ``document``.
    """
    data = _read(document)
    key, equals, _ = typed.partition("=")
    if key.startswith("/"):
        return []  # a JSON pointer: for whoever knows better
    parts = key.split(".")
    if equals:
        found = _values(parts, data)
        return [each for each in (Suggestion(f"{key}={one}") for one in found)
                if each.text.startswith(typed)]  # fmt: skip
    *path, last = parts
    before = "".join(f"{part}." for part in path)
    annotations, value = _follow(path, data)
    members = list(_members(annotations, value))
    has_names = any(not name.isdecimal() for name, _, _ in members)
    return [
        each
        for name, inner, about in members
        # Numbers work as well as names; who wants them types one.
        if last or not (has_names and name.isdecimal())
        for each in _spelt(before + name, inner, about, _part(value, name))
        if each.text.startswith(typed)
    ]


def _read(document: Path | None) -> Any:
    if document is None:
        return None
    try:
        return json.loads(document.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None


def _follow(path: Sequence[str], data: Any) -> tuple[list[Any], Any]:
    """The annotations that may hold at a path, and the document's value there."""
    from netdesc.description.models import Document

    annotations: list[Any] = [Document]
    for part in path:
        found = [inner for name, inner, _ in _members(annotations, data) if name == part]
        annotations = [each for inner in found for each in inner]
        data = _part(data, part)
    return annotations, data


def _part(value: Any, name: str) -> Any:
    from netdesc.description.overrides import item_names
    from netdesc.description.plain import member

    if isinstance(value, list):
        index = item_names(value).get(name)
        if index is None and name.isascii() and name.isdecimal():
            index = int(name)
        return None if index is None else member(value, index)
    return member(value, name)


def _members(annotations: list[Any], value: Any) -> Iterator[tuple[str, list[Any], str]]:
    """Name, annotations and description of what a value may hold, as far as that is known."""
    from netdesc.description import structure
    from netdesc.description.overrides import item_names

    found: dict[str, tuple[list[Any], str]] = {}
    for annotation in annotations:
        for each in structure.alternatives(annotation):
            inner = get_args(each)
            if get_origin(each) is dict and isinstance(value, dict):
                found |= {name: ([inner[1]], "") for name in value}
            elif _is_list_of_sections(each) and isinstance(value, list):
                names = item_names(value)
                found |= {name: ([inner[0]], f"item {n}") for name, n in names.items()}
                found |= {str(n): ([inner[0]], "") for n in range(len(value))}
        candidates = structure.models(annotation)
        chosen = structure.choose(candidates, value)
        for model in candidates if chosen is None else [chosen]:
            for name, info in structure.fields(model).items():
                known, about = found.get(name, ([], info.description or ""))
                found[name] = ([*known, info.annotation], about)
    for name, (inner, about) in found.items():
        if name not in _UNSET:
            yield name, inner, re.split(r"\. |\.$", about)[0]


def _is_list_of_sections(annotation: Any) -> bool:
    from netdesc.description import structure

    arguments = get_args(annotation)
    return (
        get_origin(annotation) is tuple
        and arguments[-1] is Ellipsis
        and bool(structure.models(arguments[0]))
    )


def _spelt(key: str, annotations: list[Any], about: str, value: Any) -> Iterator[Suggestion]:
    """``key=`` for what can be set, ``key.`` for what has parts; some can be both.

    What the document holds there, if anything, decides whether it has parts.
    """
    from netdesc.description import structure

    kinds = [each for annotation in annotations for each in structure.alternatives(annotation)]
    has_parts = [
        get_origin(each) is dict or _is_list_of_sections(each) or bool(structure.models(each))
        for each in kinds
    ]
    if not all(has_parts):
        yield Suggestion(f"{key}=", about)
    if any(has_parts) and (value is None or isinstance(value, dict | list)):
        yield Suggestion(f"{key}.", about)


def _values(parts: Sequence[str], data: Any) -> list[str]:
    """The values that can be listed: words, types, true and false, null, names of neurons."""
    from netdesc.description import structure

    *path, last = parts
    annotations, value = _follow(path, data)
    if last == "type":
        models = [model for each in annotations for model in structure.models(each)]
        return [name for model in models for name in structure.type_names(model)]
    inner = [each for name, each, _ in _members(annotations, value) if name == last]
    kinds = [kind for each in inner for one in each for kind in structure.alternatives(one)]
    words = [word for kind in kinds for word in structure.literals(kind)]
    words += [True, False] if bool in kinds else []
    words += [None] if type(None) in kinds else []
    if last == "neuron" and isinstance(data, dict) and isinstance(data.get("neurons"), dict):
        words += data["neurons"]
    return [word if isinstance(word, str) else json.dumps(word) for word in words]


# Runs, files, codes


def runs(typed: str) -> list[Suggestion]:
    """Folders of runs under ``runs``, the newest first."""
    from netdesc.run_files import RECORD

    found: list[tuple[float, str]] = []
    for depth in ("*", "*/*"):
        for record in _RUNS.glob(f"{depth}/{RECORD}"):
            try:
                found.append((record.stat().st_mtime, record.parent.as_posix()))
            except OSError:  # deleted just now
                continue
    found.sort(reverse=True)
    return [Suggestion(path, "a run") for _, path in found if path.startswith(typed)]


def files(typed: str, suffixes: Sequence[str]) -> list[Suggestion]:
    """Files whose names end in one of ``suffixes``, and folders, which lead to more."""
    folder, start = os.path.split(typed)
    try:
        entries = sorted(os.scandir(folder or "."), key=lambda entry: entry.name)
    except OSError:
        return []
    found: list[Suggestion] = []
    for entry in entries:
        hidden = entry.name.startswith(".") and not start.startswith(".")
        if hidden or not entry.name.startswith(start):
            continue
        path = os.path.join(folder, entry.name)
        if entry.is_dir():
            found.append(Suggestion(f"{path}/"))
        elif entry.name.lower().endswith(tuple(suffixes)):
            found.append(Suggestion(path))
    return found


def codes(typed: str) -> list[Suggestion]:
    """Codes of diagnostics, in either case."""
    from netdesc.description.explain import ENTRIES

    wanted = typed.upper()
    return [
        Suggestion(code, entry.title)
        for code, entry in sorted(ENTRIES.items())
        if code.startswith(wanted)
    ]
