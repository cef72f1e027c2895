"""Suggests the known name for a misspelt key, type or file: ``did you mean "threshold"?``"""

import difflib
import itertools
import re
from collections.abc import Iterable

_MAX_NAME_LENGTH = 50  # names with more characters are not compared
_MAX_COMPARED = 400
"""Largest number of known names to compare with; a directory may contain very many files."""
_MIN_SIMILARITY = 0.75
"""Smallest ratio of equal characters (``difflib``) of names that count as close."""
_MIN_CERTAIN_LENGTH = 4
"""Other names of fewer characters may differ from a known name by one character."""
_MAX_NOTE_LENGTH = 160  # largest number of characters in a list of names: about two lines


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Returns ``did you mean "…"?`` for a misspelt name; empty if no known name is close."""
    best = closest_name(name, names)
    return f'did you mean "{best}"?' if best is not None else ""


def closest_name(name: str, names: Iterable[str]) -> str | None:
    """Returns the known name that resembles ``name`` most; ``None`` if none is close.

    Names that differ only by case, hyphens or underscores come first.
    """
    if len(name) > _MAX_NAME_LENGTH:
        return None
    names = list(itertools.islice(names, _MAX_COMPARED))
    by_spelling = {normalise_name(candidate): candidate for candidate in names}
    if name in names or normalise_name(name) in by_spelling:
        return name if name in names else by_spelling[normalise_name(name)]
    if same := _same_letters(name, names):
        return same[0]
    close = difflib.get_close_matches(normalise_name(name), by_spelling, 1, _MIN_SIMILARITY)
    return by_spelling[close[0]] if close else None


def certain_name(name: str, names: Iterable[str]) -> str | None:
    """Returns the known name that a fix may write without asking; ``None`` if none is certain.

    It is the only one that differs by one typing error, or by case, hyphens and underscores. Digits
    must be equal, because ``hidden2`` is not a misspelt ``hidden1``.
    """
    names = list(itertools.islice(names, _MAX_COMPARED + 1))
    if len(name) > _MAX_NAME_LENGTH or len(names) > _MAX_COMPARED:
        return None
    close = _same_letters(name, names) or [
        candidate
        for candidate in names
        if len(candidate) >= _MIN_CERTAIN_LENGTH
        and _is_one_edit(normalise_name(name), normalise_name(candidate))
        and re.findall("[0-9]", name) == re.findall("[0-9]", candidate)
    ]
    return close[0] if len(close) == 1 else None


def _is_one_edit(left: str, right: str) -> bool:
    pairs = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(left, right, strict=False))
    start = sum(1 for _ in pairs)
    left, right = left[start:], right[start:]
    is_swap = left[:2] == right[1::-1] and left[2:] == right[2:]
    return is_swap or left[1:] == right[1:] or left[1:] == right or left == right[1:]


def normalise_name(name: str) -> str:
    """Converts a name to lower case, with ``_`` for ``-``."""
    return name.casefold().replace("-", "_")


def _same_letters(name: str, names: Iterable[str]) -> list[str]:
    letters = normalise_name(name).replace("_", "")
    return [each for each in names if normalise_name(each).replace("_", "") == letters != ""]


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
