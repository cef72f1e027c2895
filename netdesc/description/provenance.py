"""Finds the origin of each value of a document: file, program, migration, --set or default."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from netdesc.description.json.tree import Parts
from netdesc.description.json_pointer import member, members, pointer
from netdesc.description.models import Document, Origin

_ABSENT = object()


@dataclass(frozen=True)
class Provenance:
    """A document, and the data that determine the origins of its values."""

    document: Document
    """The document with all defaults, and with its lock if it has one."""
    data: Any
    """The plain data without defaults."""
    overridden: Mapping[Parts, str]
    """The ``--set`` arguments, by the path that each changed."""
    migrated: Collection[Parts] = ()
    """The paths of the values that a migration set or moved."""
    replaced: Collection[Parts] = ()
    """The paths of the values that a Python program replaced after the document was read."""
    source: Origin = "file"
    """The origin of the values that the document writes: ``file`` or ``Python``."""

    def origins(self) -> dict[str, Origin]:
        """Returns the origin of each scalar and of each empty object or list, by its JSON pointer.

        If the document is a lock, its values keep the origins that the lock records.
        """
        locked = self.document.lock.origins if self.document.lock is not None else {}
        changed = {pointer(parts) for parts in self.overridden}
        migrated = {pointer(parts) for parts in self.migrated}
        replaced = {pointer(parts) for parts in self.replaced}
        found: dict[str, Origin] = {}
        for at, is_set in _leaves(self.document.model_dump(mode="json"), self.data, ""):
            if at in replaced:
                found[at] = "Python"
            elif changed and any(place in changed for place in _enclosing(at)):
                found[at] = "--set"
            elif at in migrated:
                found[at] = "migration"
            else:
                found[at] = locked.get(at, self.source) if is_set else "default"
        return found


def _leaves(value: Any, data: Any, at: str) -> Iterator[tuple[str, bool]]:
    """Yields the pointer of each scalar or empty value, and whether ``data`` contain the value."""
    held = members(value)
    if not held:
        yield at, data is not _ABSENT
    for key, inner in held.items():
        yield from _leaves(inner, member(data, key, _ABSENT), at + pointer((key,)))


def _enclosing(at: str) -> Iterator[str]:
    """Yields a pointer, then the pointers of all objects and lists that contain its value."""
    while at:
        yield at
        at = at.rpartition("/")[0]
