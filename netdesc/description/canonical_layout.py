"""The canonical layout of JSON text: ``netdesc format``.

Only white space between tokens changes, so that every value keeps its spelling and its place among
its neighbours. What fits on one line stands on one; the other objects and lists, and the document
itself, have one entry a line.
"""

from __future__ import annotations

import json
import re
from typing import Any

from netdesc.description.diagnostics.diagnostic import Diagnostic
from netdesc.description.json.reader import parse
from netdesc.description.json.tree import Node
from netdesc.description.source import Source
from netdesc.description.source_map import locate_text_diagnostic

WIDTH = 100
"""Characters of the longest line that holds an object or a list."""
INDENT = "  "

_HARMLESS = {"ND004"}
"""Mistakes in the text that the layout mends for certain: it has no byte order mark."""


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
        return [locate_text_diagnostic(each, source) for each in mistakes]
    assert parsed.root is not None, "a text without mistakes has a tree"
    return parsed.root


_TOKEN = re.compile(
    r"""("[^"\\]*+(?:\\.[^"\\]*+)*+")(?:[ \t\r\n]*(:))?   # a string, or a key with its colon
    |([{\[])
    |([}\]])
    |(,)
    |([^\s"{}\[\],:]+)""",
    re.VERBOSE,
)
"""What there is in sound JSON; ``lastindex`` tells which."""
_KEY, _OPENING, _CLOSING, _COMMA = 2, 3, 4, 5


def _laid_out(text: str, start: int) -> str:
    """The layout of the sound value that starts there, in one walk through the text."""
    page: list[str] = []
    depth = key_width = 0
    inline_until = start  # where the block ends that stands on one line
    for token in _TOKEN.finditer(text, start):
        kind, is_inline = token.lastindex, token.start() < inline_until
        if kind == _KEY:
            page.append(f"{token[1]}: ")
            key_width = len(token[1]) + 2
            continue
        if kind == _CLOSING and not is_inline:
            depth -= 1
            page.append(f"\n{INDENT * depth}")
        page.append(token[0])
        if kind == _COMMA:
            page.append(" " if is_inline else f"\n{INDENT * depth}")
        elif kind == _OPENING and not is_inline:
            # The document itself always has one entry a line.
            room = WIDTH - len(INDENT) * depth - key_width if depth else len("{}")
            inline_until = _end_on_line(text, token.start(), room)
            if not inline_until:
                depth += 1
                page.append(f"\n{INDENT * depth}")
        key_width = 0
    return "".join(page) + "\n"


def _end_on_line(text: str, start: int, room: int) -> int:
    """Where the block ends that starts there, if it fits on a line with the comma after it; or 0.

    No more of it is looked at than fits.
    """
    used = depth = 0
    for token in _TOKEN.finditer(text, start):
        kind = token.lastindex
        depth += (kind == _OPENING) - (kind == _CLOSING)
        used += len(token[1]) + 2 if kind == _KEY else len(token[0]) + (kind == _COMMA)
        is_end = depth == 0
        if used + (is_end and _COMMA_FOLLOWS.match(text, token.end()) is not None) > room:
            return 0
        if is_end:
            return token.end()
    raise AssertionError("sound JSON closes its brackets")


_COMMA_FOLLOWS = re.compile(r"[ \t\r\n]*,")
