"""How much room text takes on a terminal, and text that does no more than to be shown."""

from __future__ import annotations

import unicodedata

_TAB = "    "
_NO_ROOM = ("Mn", "Me")
"""Marks that are written over the character before them."""


def printable(text: str, tab: str = _TAB) -> str:
    """Text that cannot move the cursor or colour the terminal: tabs widen, controls show."""
    text = text.replace("\t", tab)
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else "�" for each in text)


def cells(text: str) -> int:
    """How many terminal columns a text fills: wide characters fill two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(
        0
        if unicodedata.category(each) in _NO_ROOM
        else 1 + (unicodedata.east_asian_width(each) in "WF")
        for each in text
    )


def head(text: str, room: int) -> str:
    """The beginning of a text that fills at most so many terminal columns."""
    used = 0
    for index, each in enumerate(text):
        used += cells(each)
        if used > room:
            return text[:index]
    return text


def wrapped(text: str, room: int | None, first: str = "", later: str = "") -> list[str]:
    """The text in lines of at most so many columns, with what ``first`` and ``later`` start them.

    It is cut at spaces only, so that a path can be copied; without ``room`` it stays one line.
    """
    if room is None:
        return [first + text]
    lines: list[str] = []
    line, start = "", first
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if line and cells(start + longer) > room:
            lines.append(start + line)
            line, start = word, later
        else:
            line = longer
    return [*lines, start + line]
