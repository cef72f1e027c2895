"""What a file of this folder gives: the way from one format to the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from netdesc.description.tree import Parts


@dataclass(frozen=True, slots=True)
class Step:
    """From one format to the next.

    ``change`` is a pure function from the plain data of a document to that of the next format. The
    document may be wrong in any place: what is not as expected is left as it is, for the checks
    that follow to find. The number of the format is changed for it.

    ``moves`` tells where values come from that ``change`` moves or renames, so that findings and
    origins can follow: new place -> old place, as JSON pointers without escapes, in which ``*``
    stands for any key or index. What stands in its old place need not be told.
    """

    change: Callable[[dict[str, Any]], dict[str, Any]]
    moves: Mapping[str, str] = field(default_factory=dict[str, str])

    def source(self, parts: Parts) -> Parts | None:
        """The old place of the value at a new one, where that is told."""
        for new, old in self.moves.items():
            stars = _match(new.split("/")[1:], parts)
            if stars is not None:
                remaining = iter(stars)
                return tuple(next(remaining) if key == "*" else key for key in old.split("/")[1:])
        return None


def _match(pattern: list[str], parts: Parts) -> list[str | int] | None:
    """What the stars stand for; None where the place is another."""
    if len(pattern) != len(parts):
        return None
    if not all(key in ("*", str(part)) for key, part in zip(pattern, parts, strict=True)):
        return None
    return [part for key, part in zip(pattern, parts, strict=True) if key == "*"]
