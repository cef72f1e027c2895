"""Formats texts of diagnostics: counts, places, escapes, lines for a terminal, Markdown."""

import html
import re
import unicodedata
from collections.abc import Sequence

from netdesc.description.diagnostics.diagnostic import Diagnostic, Related

_UNDECODED_BYTES = range(0xDC80, 0xDD00)
"""Code points that stand for the bytes 0x80 to 0xFF of a file name that is not UTF-8 (PEP 383)."""
_MAX_LINE_CHARACTERS = 2000
"""Longer lines are cut. A message may quote a string of the document, which may be very long."""
_SPECIAL_IN_PROSE = re.compile(r"([\\`*_\[\]|$~])")


def printable(text: str, tab: str = "    ") -> str:
    """Replaces tabs by ``tab``, and by � what could move the cursor or set colours."""
    text = text.replace("\t", tab)
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else "�" for character in text)


def escape(text: str) -> str:
    """Returns the text on one line, with escapes such as ``\\x1b`` and ``\\n``.

    Escapes replace control characters, line breaks and marks of the writing direction, because
    these could move the cursor, set colours or imitate another line of output. Escapes also replace
    the bytes of a file name that are not UTF-8 (``\\xff``). All other characters and spaces stay.
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or unicodedata.category(each) == "Zs" else _escape(each)
        for each in text
    )


def _escape(character: str) -> str:
    code = ord(character)
    if code in _UNDECODED_BYTES:
        return f"\\x{code - _UNDECODED_BYTES.start + 0x80:02x}"
    return character.encode("unicode_escape").decode("ascii")


def cells(text: str) -> int:
    """Returns the width in terminal columns: 2 for a wide character, 0 for a combining one."""
    if text.isascii():
        return len(text)
    drawn = (character for character in text if unicodedata.category(character) not in ("Mn", "Me"))
    return sum(1 + (unicodedata.east_asian_width(character) in "WF") for character in drawn)


def head(text: str, width: int) -> str:
    """Returns the longest prefix of the text that fits into ``width`` terminal columns."""
    used = 0
    for index, each in enumerate(text):
        used += cells(each)
        if used > width:
            return text[:index]
    return text


def wrap(text: str, width: int | None, first: str = "", later: str = "") -> list[str]:
    """Breaks the text into lines of at most ``width`` columns; ``None`` keeps it on one line.

    The first line starts with ``first``, the others with ``later``. Lines break at spaces only, so
    that users can copy a path.
    """
    if width is None:
        return [first + text]
    lines: list[str] = []
    line, start = "", first
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if line and cells(start + longer) > width:
            lines.append(start + line)
            line, start = word, later
        else:
            line = longer
    return [*lines, start + line]


def visible(text: str) -> str:
    """Returns the text on one line, cut to 2000 characters, with � for unprintable characters."""
    if len(text) > _MAX_LINE_CHARACTERS:
        text = text[: _MAX_LINE_CHARACTERS - 1] + "…"
    return printable(text, tab=" ")


def amount(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def kinds(diagnostics: Sequence[Diagnostic]) -> list[str]:
    """Returns the numbers of errors and warnings, such as ``["2 errors", "1 warning"]``.

    A number of 0 is left out. If there may be more diagnostics, the first begins with "at least".
    """
    errors = sum(each.is_error for each in diagnostics)
    counts = {"error": errors, "warning": len(diagnostics) - errors}
    words = [amount(count, noun) for noun, count in counts.items() if count]
    return words if is_complete(diagnostics) else [f"at least {words[0]}", *words[1:]]


def is_complete(diagnostics: Sequence[Diagnostic]) -> bool:
    """Returns False if there may be more diagnostics, because a search reached its limit."""
    return not any(each.ends_search for each in diagnostics)


def place(spot: Diagnostic | Related, file: str) -> str:
    """Returns ``file:line:column``, a link in many terminals; only ``file`` if there is no line."""
    return file if spot.line is None else f"{file}:{spot.line}:{spot.column}"


def prose(text: str) -> str:
    """Escapes a sentence of netdesc's own texts, in which few special characters occur."""
    return _SPECIAL_IN_PROSE.sub(r"\\\1", html.escape(text, quote=False))


def code(text: str) -> str:
    """Formats text without backquotes as inline code. A bar would end a cell, so it is escaped."""
    assert "`" not in text
    return f"`{text.replace('|', chr(92) + '|')}`"


def code_block(text: str) -> str:
    """Returns a fenced code block. Its fence is longer than any run of backquotes in the text."""
    longest = max((len(each) for each in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"
