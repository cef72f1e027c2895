"""Finds the origin of each value of a document: file, program, --set or default."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from netdesc.description.json.tree import Parts
from netdesc.description.json_pointer import ABSENT, leaves, pointer
from netdesc.description.models import Document, Origin


@dataclass(frozen=True)
class Provenance:
    """A document, and the data that determine the origins of its values."""

    document: Document
    """The document with all defaults, and with its lock if it has one."""
    data: Any
    """The plain data without defaults."""
    overridden: Mapping[Parts, str]
    """The ``--set`` arguments, by the path that each changed."""
    replaced: Collection[Parts] = ()
    """The paths of the values that a Python program replaced after the document was read."""
    source: Origin = "file"
    """The origin of the values that the document writes: ``file`` or ``Python``."""

    def origins(self) -> dict[str, Origin]:
        """Returns the origin of each scalar and of each empty object or list, by its JSON pointer.

        If the document is a lock, its values keep the origins that the lock records.
        """
        locked = self.document.lock.origins if self.document.lock is not None else {}
        found: dict[str, Origin] = {}
        for parts, _, written in leaves(self.document.model_dump(mode="json"), self.data):
            at = pointer(parts)
            if parts in self.replaced:
                found[at] = "Python"
            elif self.overridden and any(
                parts[:length] in self.overridden for length in range(1, len(parts) + 1)
            ):
                found[at] = "--set"
            else:
                found[at] = "default" if written is ABSENT else locked.get(at, self.source)
        return found
