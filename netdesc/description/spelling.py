"""Which known name a misspelt one probably means, and which it means for certain."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable

LONGEST = 50
"""Longer names are no misspelling of any."""
MOST_KNOWN = 1000
"""So many known names are compared with one that is not; there may be any number of files."""
_MOST_CERTAIN = 400
"""Among more names than these nothing is certain: to compare them all would take too long."""
_MOST_EDITS = 4


def distance(left: str, right: str, limit: int) -> int:
    """Edits (insert, drop, change, swap two neighbours) that turn one text into the other.

    Beyond ``limit`` the count stops, and is only known to be larger.
    """
    if abs(len(left) - len(right)) > limit:
        return limit + 1
    left, right = _without_ends(left, right)
    beyond = limit + 1
    older: list[int] = []
    old = [*range(min(len(right), limit) + 1), *[beyond] * (len(right) - limit)]
    for i, a in enumerate(left, 1):
        # Only near the diagonal can a way be short enough.
        first, last = max(1, i - limit), min(len(right), i + limit)
        new = [beyond] * (len(right) + 1)
        new[0] = min(i, beyond)
        for j in range(first, last + 1):
            b = right[j - 1]
            best = min(old[j] + 1, new[j - 1] + 1, old[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                best = min(best, older[j - 2] + 1)
            new[j] = min(best, beyond)
        if min(new) > limit and min(old) > limit:
            return beyond
        older, old = old, new
    return old[-1]


def _without_ends(left: str, right: str) -> tuple[str, str]:
    """Two texts without the beginning and the end that they share."""
    shorter = min(len(left), len(right))
    start = 0
    while start < shorter and left[start] == right[start]:
        start += 1
    end = 0
    while end < shorter - start and left[-1 - end] == right[-1 - end]:
        end += 1
    return left[start : len(left) - end], right[start : len(right) - end]


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is near enough to be meant, if there is one."""
    if len(name) > LONGEST:
        return None
    spelt = plain(name)
    best, fewest = None, max(1, len(spelt) // 3) + 1
    for each in sorted(itertools.islice(known, MOST_KNOWN)):
        limit = min(fewest - 1, _near(spelt, plain(each)))
        edits = distance(spelt, plain(each), limit)
        if edits <= limit:
            best, fewest = each, edits
    return best


def certain(name: str, known: Iterable[str]) -> str | None:
    """The known name that is meant beyond doubt: a slip of the fingers away, and no other is near.

    Slips are counted word by word, for ``min_rate`` is no misspelt ``max_rate``; and a wrong digit
    is none, for ``hidden2`` is not ``hidden1``. A name that was written in another way altogether
    (``learningRate``) is meant as well.
    """
    known = list(itertools.islice(known, _MOST_CERTAIN + 1))
    if not 2 < len(name) <= LONGEST or len(known) > _MOST_CERTAIN:
        return None
    same = [each for each in known if _bare(each) == _bare(name)]
    if same:
        return same[0] if len(same) == 1 else None
    spelt = plain(name)
    near = sorted(
        (edits, each)
        for each in known
        if (edits := distance(spelt, plain(each), limit := _near(spelt, plain(each)))) <= limit
    )
    if not near or (len(near) > 1 and near[1][0] <= near[0][0] + 1):
        return None
    return near[0][1] if _is_slip(spelt, plain(near[0][1])) else None


def _near(left: str, right: str) -> int:
    """So many edits apart, one of two names may be meant by the other. One letter means nothing."""
    shorter = min(len(left), len(right))
    return min(max(1, shorter // 3), _MOST_EDITS) if shorter > 1 else 0


def _is_slip(left: str, right: str) -> bool:
    if re.findall("[0-9]+", left) != re.findall("[0-9]+", right):
        return False
    words = left.split("_"), right.split("_")
    if len(words[0]) != len(words[1]):
        return _bare(left) == _bare(right)
    return all(
        distance(one, other, limit := _slips(max(len(one), len(other)))) <= limit
        for one, other in zip(*words, strict=True)
    )


def _slips(length: int) -> int:
    """Edits that a word of so many letters survives: ``max`` is three letters away from ``min``."""
    return 0 if length < 4 else 1 if length < 8 else 2


def plain(name: str) -> str:
    """A name without what people write either way."""
    return name.casefold().replace("-", "_")


def _bare(name: str) -> str:
    return plain(name).replace("_", "")


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
    length = 0
    for name in names:
        length += len(name) + 2
        if listed and length > ROOM + 2:
            return "allowed: " + ", ".join([*listed, "…"])
        listed.append(name)
    return "allowed: " + ", ".join(listed)
