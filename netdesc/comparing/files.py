"""The files that documents name: equal if their contents are, as far as these are known."""

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
    """``path`` is as the document has it; ``noted`` is the SHA-256 in the document or its lock."""

    pointer: str
    path: str
    place: Path
    noted: str | None

    @cached_property
    def sha256(self) -> str | None:
        """The noted SHA-256, or else that of the file; None if it cannot be read."""
        if self.noted is not None or not self.place.is_file():
            return self.noted
        try:
            return file_sha256(self.place)
        except OSError:
            return None

    def equals(self, other: NamedFile) -> bool:
        is_noted = self.noted is not None or other.noted is not None
        if not is_noted and os.path.realpath(self.place) == os.path.realpath(other.place):
            return True
        return self.sha256 is not None and self.sha256 == other.sha256

    def describe(self) -> dict[str, Any]:
        return {"pointer": self.pointer, "path": self.path, "sha256": self.sha256}


def named_files(operand: Operand) -> dict[Parts, NamedFile]:
    """The files of an operand by the path of the section that names them."""
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
    """The files that are not known to be equal; None for a side that names none."""
    for section in dict.fromkeys([*a, *b]):
        one, other = a.get(section), b.get(section)
        if one is None or other is None or not one.equals(other):
            yield section, one, other
