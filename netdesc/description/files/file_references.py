"""Finds the paths of files in a document."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from netdesc.description import model_structure as structure
from netdesc.description.json.tree import Parts
from netdesc.description.models import Document
from netdesc.sections import Section


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
