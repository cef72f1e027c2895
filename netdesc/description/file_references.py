"""Finds the files that a document names."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netdesc.description import model_structure as structure
from netdesc.description.json.tree import Parts
from netdesc.description.models.document import Document, Lock
from netdesc.sections import Section

FILE_SECTIONS = ("data", "layers", "weights")
"""The sections of a document that name files."""


@dataclass(frozen=True, slots=True)
class FileReference:
    """A file whose ``path`` a document names at ``parts``, in the section ``holder``."""

    parts: Parts
    path: str
    holder: Section


def file_references(document: Document) -> Iterator[FileReference]:
    """Yields every file that the document names, in the order of the models' fields."""
    for parts in structure.file_path_locations(Document, document.model_dump(mode="json")):
        holder: Any = document
        for part in parts[:-1]:
            holder = getattr(holder, str(part)) if isinstance(holder, Section) else holder[part]
        yield FileReference(parts, getattr(holder, str(parts[-1])), holder)


def file_sha256(path: Path) -> str:
    """Returns the SHA-256 of a file in lower-case hexadecimal digits. Raises OSError.

    That of a folder is the SHA-256 of the names and the SHA-256 of all files in it.
    """
    if not path.is_dir():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    digest = hashlib.sha256()
    for file in files_below(path):
        line = f"{file.relative_to(path).as_posix()}\0{file_sha256(file)}\n"
        digest.update(os.fsencode(line))
    return digest.hexdigest()


def files_below(folder: Path) -> list[Path]:
    """Returns all files below a folder in order, also those in linked folders, once."""
    files: list[Path] = []
    seen = set[tuple[int, int]]()
    for root, folders, names in os.walk(folder, followlinks=True):
        status = os.stat(root)
        if (status.st_dev, status.st_ino) in seen:  # a link to a folder above
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        files += [file for name in names if (file := Path(root, name)).is_file()]
    return sorted(files)


def locked_files(lock: Lock, directory: Path) -> dict[str, Path]:
    """Maps each path in the section ``lock`` of a run's lock file to a path in the file system.

    The lock has a relative and an absolute path of each file. The relative path starts in
    ``directory``. The absolute path is used only if the relative path does not exist.
    """
    files: dict[str, Path] = {}
    exists = os.path.exists  # False, too, for a path that the system refuses
    for file in lock.files:
        relative, absolute = Path(os.path.normpath(directory / file.location)), Path(file.absolute)
        files[file.path] = absolute if exists(absolute) and not exists(relative) else relative
    return files
