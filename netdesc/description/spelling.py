"""Which known name a misspelt one probably means."""

from __future__ import annotations

from collections.abc import Iterable


def distance(left: str, right: str, limit: int) -> int:
    """Edits (insert, drop, change, swap two neighbours) that turn one text into the other.

    Beyond ``limit`` the count stops, and is only known to be larger.
    """
    if abs(len(left) - len(right)) > limit:
        return limit + 1
    older: list[int] = []
    old = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        new = [i]
        for j, b in enumerate(right, 1):
            best = min(old[j] + 1, new[j - 1] + 1, old[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                best = min(best, older[j - 2] + 1)
            new.append(best)
        if min(new) > limit and min(old) > limit:
            return limit + 1
        older, old = old, new
    return old[-1]


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is near enough to be meant, if there is one."""
    if len(name) > 100:
        return None
    spelt = plain(name)
    best, fewest = None, max(1, len(spelt) // 3) + 1
    for each in sorted(known):
        limit = min(fewest - 1, max(1, min(len(spelt), len(each)) // 3))
        edits = distance(spelt, plain(each), limit)
        if edits <= limit:
            best, fewest = each, edits
    return best


def plain(name: str) -> str:
    """A name without what people write either way."""
    return name.casefold().replace("-", "_")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``did you mean "…"?``, or nothing."""
    best = closest(name, known)
    return f'did you mean "{best}"?' if best is not None else ""


ROOM = 160
"""Characters of a list of names: about two lines."""


def allowed(names: Iterable[str]) -> str:
    """A note that lists what may stand in a place, in the order of the alphabet."""
    return allowed_in_order(sorted(names))


def allowed_in_order(names: Iterable[str]) -> str:
    """A note that lists what may stand in a place, cut where it gets long."""
    listed: list[str] = []
    for name in names:
        if listed and len(", ".join([*listed, name])) > ROOM:
            return "allowed: " + ", ".join([*listed, "…"])
        listed.append(name)
    return "allowed: " + ", ".join(listed)
