"""Suggests the known name for a misspelt key, type or file: ``did you mean "threshold"?``"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable

_MAX_NAME_LENGTH = 50
"""Names with more characters are not compared."""
_MAX_COMPARED = 1000
"""Largest number of known names to compare with; a directory may contain very many files."""
_MAX_COMPARED_FOR_CERTAIN = 400
"""``certain_name`` returns ``None`` if there are more names: comparing all takes too long."""
_MAX_EDITS = 4
_MAX_NOTE_LENGTH = 160
"""Largest number of characters in a list of names: about two lines."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Returns ``did you mean "…"?`` for a misspelt name; empty if no known name is close."""
    best = closest_name(name, known)
    return f'did you mean "{best}"?' if best is not None else ""


def closest_name(name: str, known: Iterable[str]) -> str | None:
    """Returns the known name with the fewest edits from ``name``; ``None`` if none is close.

    Names that differ only by case, hyphens or underscores come first.
    """
    if len(name) > _MAX_NAME_LENGTH:
        return None
    known = list(itertools.islice(known, _MAX_COMPARED))
    if same := [each for each in known if _letters(each) == _letters(name) != ""]:
        return min(same, key=lambda each: (normalise_name(each) != normalise_name(name), each))
    return next((each for _, each in _close_names(name, known)), None)


def certain_name(name: str, known: Iterable[str]) -> str | None:
    """Returns the known name that a fix may write without asking; ``None`` if none is certain.

    The names may differ only by typing errors, and no second known name may be close. Typing errors
    are counted in each word, because ``min_rate`` is not a misspelt ``max_rate``. Digits must be
    equal, because ``hidden2`` is not a misspelt ``hidden1``. ``learningRate`` is accepted for
    ``learning_rate``.
    """
    known = list(itertools.islice(known, _MAX_COMPARED_FOR_CERTAIN + 1))
    if not 2 < len(name) <= _MAX_NAME_LENGTH or len(known) > _MAX_COMPARED_FOR_CERTAIN:
        return None
    same = [each for each in known if _letters(each) == _letters(name)]
    if same:
        return same[0] if len(same) == 1 else None
    close = _close_names(name, known)
    if not close or (len(close) > 1 and close[1][0] <= close[0][0] + 1):
        return None
    best = close[0][1]
    return best if _is_typing_error(normalise_name(name), normalise_name(best)) else None


def _close_names(name: str, known: Iterable[str]) -> list[tuple[int, str]]:
    """Returns (edits, known name) of the known names that are close, the closest first."""
    written, close = normalise_name(name), list[tuple[int, str]]()
    for each in known:
        limit = _max_edits(written, normalise_name(each))
        edits = edit_distance(written, normalise_name(each), limit)
        if edits <= limit:
            close.append((edits, each))
    return sorted(close)


def edit_distance(left: str, right: str, limit: int) -> int:
    """Counts the edits (insert, delete, replace, swap two neighbours) that turn left into right.

    Returns ``limit + 1`` if there are more than ``limit``. This is the optimal string alignment
    distance; only a band around the diagonal of its table is computed.
    """
    if abs(len(left) - len(right)) > limit:
        return limit + 1
    beyond = limit + 1
    older: list[int] = []
    old = [min(j, beyond) for j in range(len(right) + 1)]
    for i, a in enumerate(left, 1):
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


def _max_edits(left: str, right: str) -> int:
    """Returns the largest edit distance of names that count as close; 0 for a single letter."""
    shorter = min(len(left), len(right))
    return min(max(1, shorter // 3), _MAX_EDITS) if shorter > 1 else 0


def _is_typing_error(left: str, right: str) -> bool:
    if re.findall("[0-9]+", left) != re.findall("[0-9]+", right):
        return False
    words = left.split("_"), right.split("_")
    if len(words[0]) != len(words[1]):
        return _letters(left) == _letters(right)
    for one, other in zip(*words, strict=True):
        limit = min(max(len(one), len(other)) // 4, 2)  # 0 for a short word such as max
        if edit_distance(one, other, limit) > limit:
            return False
    return True


def normalise_name(name: str) -> str:
    """Converts a name to lower case, with ``_`` for ``-``."""
    return name.casefold().replace("-", "_")


def _letters(name: str) -> str:
    return normalise_name(name).replace("_", "")


def allowed_note(names: Iterable[str]) -> str:
    """Returns the note ``allowed: a, b, …``; it ends with ``…`` if the list is too long."""
    listed: list[str] = []
    length = 0
    for name in names:
        length += len(name) + 2
        if listed and length > _MAX_NOTE_LENGTH + 2:
            return "allowed: " + ", ".join([*listed, "…"])
        listed.append(name)
    return "allowed: " + ", ".join(listed)
