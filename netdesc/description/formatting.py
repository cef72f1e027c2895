"""The canonical layout of JSON text: ``netdesc format``.

Only white space between tokens changes, so that every value keeps its spelling and its place among
its neighbours. What fits on one line stands on one; the other objects and lists, and the document
itself, have one entry a line.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from netdesc.description.diagnostic import Diagnostic
from netdesc.description.json.reader import parse
from netdesc.description.places import of_text
from netdesc.description.source import Source
from netdesc.description.tree import Node

WIDTH = 100
"""Characters of the longest line that holds an object or a list."""
INDENT = "  "

_HARMLESS = {"ND004"}
"""Mistakes in the text that the layout mends for certain: it has no byte order mark."""


@dataclass(frozen=True, slots=True)
class Block:
    """An object or a list: its brackets, and its entries, each behind its key with a colon."""

    brackets: str
    entries: list[tuple[str, Piece]]


Piece = str | Block
"""Text of a value that holds no other, as it is to be written, or a block of them."""


def formatted(source: Source) -> str | list[Diagnostic]:
    """The text in the canonical layout, or all mistakes for which it is no JSON."""
    root = sound_tree(source)
    return _laid_out(source.text, root.start) if isinstance(root, Node) else root


def document_text(data: Any) -> str:
    """Plain data as a document in the canonical layout."""
    text = formatted(Source(json.dumps(data, ensure_ascii=False, allow_nan=False), "document"))
    assert isinstance(text, str), "what json wrote is JSON"
    return text


def sound_tree(source: Source) -> Node | list[Diagnostic]:
    """The tree of a text, or all mistakes for which it is no JSON."""
    parsed = parse(source)
    mistakes = [each for each in parsed.diagnostics if each.code not in _HARMLESS]
    if mistakes:
        return [of_text(source, each) for each in mistakes]
    assert parsed.root is not None, "a text without mistakes has a tree"
    return parsed.root


_TOKEN = re.compile(
    r"""("[^"\\]*+(?:\\.[^"\\]*+)*+")(?:[ \t\r\n]*(:))?   # a string, or a key with its colon
    |([{\[])
    |([}\]])
    |([^\s"{}\[\],:]+)""",
    re.VERBOSE,
)
"""What there is in sound JSON, but for commas; ``lastindex`` tells which."""
_KEY, _OPENING, _CLOSING = 2, 3, 4


def _laid_out(text: str, start: int) -> str:
    """The layout of the sound value that starts there, in one walk through the text."""
    page, key = _Page(), ""
    for token in _TOKEN.finditer(text, start):
        kind = token.lastindex
        if kind == _KEY:
            key = f"{token[1]}: "
            continue
        if kind == _OPENING:
            page.enter(key, token[3])
        elif kind == _CLOSING:
            page.leave()
        else:
            page.add(key, token[0], len(token[0]))
        key = ""
    return page.text()


@dataclass(slots=True)
class _Open:
    """An object or a list whose end was not reached yet, and the entries that are not laid yet."""

    key: str
    brackets: str
    entries: list[tuple[str, Piece]] = field(default_factory=list[tuple[str, "Piece"]])
    used: int = 2
    """Characters of all of it on one line."""
    is_broken: bool = False
    """It does not fit on one line: what was laid of it stands on the page."""
    lacks_comma: bool = False
    """The last line of the page belongs to an entry of it."""


class _Page:
    """Lays values as they are read, and keeps no more of them than may yet fit on a line."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._open = [_Open("", "", is_broken=True)]

    def text(self) -> str:
        (root,) = self._open
        for key, piece in root.entries:
            _lay(piece, "", key, "", self._lines)
        return "\n".join(self._lines) + "\n"

    def enter(self, key: str, opening: str) -> None:
        self._open.append(_Open(key, "{}" if opening == "{" else "[]"))

    def add(self, key: str, piece: Piece, width: int) -> None:
        """An entry of what is open, of so many characters on one line."""
        holder = self._open[-1]
        if holder.is_broken:
            self._flush(holder, ",", len(self._open))
        else:
            # The document itself always has one entry a line.
            holder.used += len(key) + width + (2 if holder.entries else 0)
        holder.entries.append((key, piece))
        if not holder.is_broken and (holder.used > WIDTH or len(self._open) == 2):
            self._break()

    def leave(self) -> None:
        closed = self._open.pop()
        if not closed.is_broken:
            self.add(closed.key, Block(closed.brackets, closed.entries), closed.used)
            return
        depth = len(self._open)
        self._flush(closed, "", depth + 1)
        self._lines.append(f"{INDENT * (depth - 1)}{closed.brackets[1]}")
        self._open[-1].lacks_comma = True

    def _break(self) -> None:
        """What is open is too long for one line, and so is all that holds it."""
        for depth, each in enumerate(self._open):
            if each.is_broken:
                continue
            self._flush(self._open[depth - 1], ",", depth)
            self._lines.append(f"{INDENT * (depth - 1)}{each.key}{each.brackets[0]}")
            each.is_broken = True
            last = each.entries.pop() if each is self._open[-1] else None
            self._flush(each, ",", depth + 1)
            if last is not None:
                each.entries.append(last)

    def _flush(self, holder: _Open, after: str, depth: int) -> None:
        """Lays the entries that wait, all but the last of them followed by a comma."""
        if holder.lacks_comma:
            self._lines[-1] += after
            holder.lacks_comma = False
        indent = INDENT * (depth - 1)
        for number, (key, piece) in enumerate(holder.entries, 1):
            comma = "," if number < len(holder.entries) else after
            _lay(piece, indent, key, comma, self._lines)
        holder.entries.clear()


def layout(piece: Piece) -> str:
    """The text of a whole document, with the line break at its end."""
    lines: list[str] = []
    if isinstance(piece, Block) and piece.entries:
        _break(piece, "", "", "", lines)
    else:
        _lay(piece, "", "", "", lines)
    return "\n".join(lines) + "\n"


def _lay(piece: Piece, indent: str, before: str, after: str, lines: list[str]) -> None:
    """Adds the lines of a value between what stands ``before`` and ``after`` it."""
    room = WIDTH - len(indent) - len(before) - len(after)
    line = piece if isinstance(piece, str) else _on_one_line(piece, room)
    if line is not None:
        lines.append(f"{indent}{before}{line}{after}")
    else:
        assert isinstance(piece, Block)
        _break(piece, indent, before, after, lines)


def _break(block: Block, indent: str, before: str, after: str, lines: list[str]) -> None:
    lines.append(f"{indent}{before}{block.brackets[0]}")
    for number, (key, inner) in enumerate(block.entries, 1):
        comma = "," if number < len(block.entries) else ""
        _lay(inner, indent + INDENT, key, comma, lines)
    lines.append(f"{indent}{block.brackets[1]}{after}")


def _on_one_line(piece: Piece, room: int) -> str | None:
    """The text of a value if it needs at most ``room`` characters; looks at no more than these."""
    if isinstance(piece, str):
        return piece if len(piece) <= room else None
    used, parts = 2, list[str]()
    for key, inner in piece.entries:
        used += len(key) + (2 if parts else 0)
        text = _on_one_line(inner, room - used)
        if text is None:
            return None
        used += len(text)
        parts.append(key + text)
    opening, closing = piece.brackets
    return f"{opening}{', '.join(parts)}{closing}" if used <= room else None
