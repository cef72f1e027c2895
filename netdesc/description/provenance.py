"""Who set each value of a document: the file, a migration, the command line or a default."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from netdesc.description.json.tree import Parts
from netdesc.description.json_pointer import member, members, pointer
from netdesc.description.models import Document, Origin

_ABSENT = object()


@dataclass(frozen=True)
class Given:
    """A complete document, what the file gave of it, and what was changed or made since.

    ``overridden`` is what the command line changed, ``made`` what a migration put there.
    """

    whole: Document
    data: Any
    overridden: Mapping[Parts, str]
    made: Collection[Parts] = ()

    def origins(self) -> dict[str, Origin]:
        """Who set each value that holds no other, by its JSON pointer.

        A lock remembers who did when it was made.
        """
        locked = self.whole.lock.origins if self.whole.lock is not None else {}
        changed = {pointer(parts) for parts in self.overridden}
        made = {pointer(parts) for parts in self.made}
        found: dict[str, Origin] = {}
        for at, is_given in _leaves(self.whole.model_dump(mode="json"), self.data, ""):
            if changed and any(place in changed for place in _enclosing(at)):
                found[at] = "--set"
            elif at in made:
                found[at] = "migration"
            else:
                found[at] = locked.get(at, "file") if is_given else "default"
        return found


def _leaves(value: Any, given: Any, at: str) -> Iterator[tuple[str, bool]]:
    """Every value that holds no other, and whether the user gave it."""
    held = members(value)
    if not held:
        yield at, given is not _ABSENT
    for key, inner in held.items():
        yield from _leaves(inner, member(given, key, _ABSENT), at + pointer((key,)))


def _enclosing(at: str) -> Iterator[str]:
    """A pointer and those of what holds its value."""
    while at:
        yield at
        at = at.rpartition("/")[0]
