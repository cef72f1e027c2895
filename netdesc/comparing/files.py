"""Compares the files of two documents by the SHA-256 of their contents."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from netdesc.comparing.operand import Operand
from netdesc.description.files.data_files import file_paths, file_sha256
from netdesc.description.json.tree import Parts
from netdesc.description.json_pointer import lookup, pointer


@dataclass(frozen=True)
class NamedFile:
    """A file that a document names.

    ``path`` is the path in the document, ``resolved_path`` the path in the file system.
    ``recorded_sha256`` comes from the document or from the section ``lock``; None if it is missing.
    """

    pointer: str
    path: str
    resolved_path: Path
    recorded_sha256: str | None

    @cached_property
    def sha256(self) -> str | None:
        """The recorded SHA-256, or else the file's SHA-256; None if the file cannot be read."""
        if self.recorded_sha256 is not None or not self.resolved_path.is_file():
            return self.recorded_sha256
        try:
            return file_sha256(self.resolved_path)
        except OSError:
            return None

    def equals(self, other: NamedFile) -> bool:
        """Returns True if both files are known to have the same contents."""
        is_recorded = self.recorded_sha256 is not None or other.recorded_sha256 is not None
        paths = os.path.realpath(self.resolved_path), os.path.realpath(other.resolved_path)
        if not is_recorded and paths[0] == paths[1]:
            return True
        return self.sha256 is not None and self.sha256 == other.sha256

    def describe(self) -> dict[str, Any]:
        return {"pointer": self.pointer, "path": self.path, "sha256": self.sha256}


def named_files(operand: Operand) -> dict[Parts, NamedFile]:
    """Maps the path, in the document, of each object that names a file to this file."""
    description = operand.description
    lock = description.lock
    locked = {} if lock is None else {file.path: file.sha256 for file in lock.files}
    data = description.document.model_dump(mode="json")
    return {
        parts[:-1]: NamedFile(
            pointer(parts),
            path,
            description.resolve(path),
            locked.get(path) or lookup(data, (*parts[:-1], "sha256")),
        )
        for parts, path in file_paths(description.document).items()
    }


def differing_files(
    a: Mapping[Parts, NamedFile], b: Mapping[Parts, NamedFile]
) -> Iterator[tuple[Parts, NamedFile | None, NamedFile | None]]:
    """Yields the path of the object and both files, or None, for files that may differ."""
    for section in dict.fromkeys([*a, *b]):
        one, other = a.get(section), b.get(section)
        if one is None or other is None or not one.equals(other):
            yield section, one, other
