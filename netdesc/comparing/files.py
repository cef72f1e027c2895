"""Whether two documents mean the same files: by their contents where these are known."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from netdesc.comparing.side import Side
from netdesc.description.data_files import file_sha256, paths_of
from netdesc.description.plain import dotted, lookup, pointer


@dataclass(frozen=True, slots=True)
class NamedFile:
    """``path`` is as the document quotes it; ``sha256`` is None where it is not known."""

    pointer: str
    path: str
    place: Path
    sha256: str | None


@dataclass(frozen=True, slots=True)
class FileDifference:
    """``place`` is that of the section that names the file; None for a side that names none."""

    place: str
    a: NamedFile | None
    b: NamedFile | None


def file_differences(a: Side, b: Side) -> list[FileDifference]:
    """The files that differ, or may: those of other contents, or else of another place."""
    before, after = _files(a), _files(b)
    found: list[FileDifference] = []
    for place in dict.fromkeys([*before, *after]):
        one, other = before.get(place), after.get(place)
        if one is not None and other is not None:
            if _is_same_place(one, other):
                continue
            one, other = _with_contents(one), _with_contents(other)
            if one.sha256 is not None and one.sha256 == other.sha256:
                continue
        found.append(FileDifference(place, one, other))
    return found


def _files(side: Side) -> dict[str, NamedFile]:
    """The files of a side by the place of the section that names them."""
    description = side.description
    locked = {} if description.lock is None else {f.path: f.sha256 for f in description.lock.files}
    data = description.document.model_dump(mode="json")
    return {
        dotted(parts[:-1]): NamedFile(
            pointer(parts),
            path,
            description.resolve(path),
            locked.get(path) or lookup(data, (*parts[:-1], "sha256")),
        )
        for parts, path in paths_of(description.document).items()
    }


def _is_same_place(a: NamedFile, b: NamedFile) -> bool:
    """One file, of which neither side has noted other contents."""
    known = {each.sha256 for each in (a, b)} - {None}
    return not known and os.path.realpath(a.place) == os.path.realpath(b.place)


def _with_contents(file: NamedFile) -> NamedFile:
    """The file with its SHA-256, if it is noted or can be read."""
    if file.sha256 is not None or not file.place.is_file():
        return file
    try:
        digest = file_sha256(file.place)
    except OSError:
        return file
    return NamedFile(file.pointer, file.path, file.place, digest)
