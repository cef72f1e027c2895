"""The canonical layout of JSON text: ``netdesc format``.

Only the white space between tokens changes: values keep their spelling and their order. An object
or list is written on one line if it fits, otherwise with one entry per line. The document itself
always has one entry per line.
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
"""Largest number of characters in a line that holds a whole object or list."""
INDENT = "  "

_BYTE_ORDER_MARK = "ND004"
"""The code of the one error that formatting fixes."""


def formatted(source: Source) -> str | list[Diagnostic]:
    """Returns the text in the canonical layout, or the diagnostics if it is not valid JSON."""
    root = sound_tree(source)
    return _lay_out(source.text, root.start) if isinstance(root, Node) else root


def document_text(data: Any) -> str:
    """Writes plain data as JSON in the canonical layout. ValueError for NaN or infinity."""
    text = formatted(Source(json.dumps(data, ensure_ascii=False, allow_nan=False), "document"))
    assert isinstance(text, str), "the output of json is valid"
    return text


def sound_tree(source: Source) -> Node | list[Diagnostic]:
    """Returns the tree of a text, or the diagnostics if it is not valid JSON."""
    parsed = parse(source)
    errors = [each for each in parsed.diagnostics if each.code != _BYTE_ORDER_MARK]
    if errors:
        return [locate_text_diagnostic(each, source) for each in errors]
    assert parsed.root is not None, "a valid text has a tree"
    return parsed.root


_TOKEN = re.compile(
    r"""("[^"\\]*+(?:\\.[^"\\]*+)*+")(?:[ \t\r\n]*(:))?   # a string, or a key with its colon
    |([{\[])
    |([}\]])
    |(,)
    |([^\s"{}\[\],:]+)""",
    re.VERBOSE,
)
"""Matches a token of valid JSON. The constants below are the values of ``match.lastindex``."""
_KEY, _OPENING, _CLOSING, _COMMA = 2, 3, 4, 5


def _lay_out(text: str, start: int) -> str:
    """Returns the canonical text of the valid value that starts at an offset."""
    output: list[str] = []
    depth = key_width = 0
    inline_until = start  # end of the last object or list that is written on one line
    for token in _TOKEN.finditer(text, start):
        kind, is_inline = token.lastindex, token.start() < inline_until
        if kind == _KEY:
            output.append(f"{token[1]}: ")
            key_width = len(token[1]) + 2
            continue
        if kind == _CLOSING and not is_inline:
            depth -= 1
            output.append(f"\n{INDENT * depth}")
        output.append(token[0])
        if kind == _COMMA:
            output.append(" " if is_inline else f"\n{INDENT * depth}")
        elif kind == _OPENING and not is_inline:
            # The document itself always has one entry per line.
            room = WIDTH - len(INDENT) * depth - key_width if depth else len("{}")
            inline_until = _end_on_line(text, token.start(), room)
            if not inline_until:
                depth += 1
                output.append(f"\n{INDENT * depth}")
        key_width = 0
    return "".join(output) + "\n"


def _end_on_line(text: str, start: int, room: int) -> int:
    """Returns the end of the object or list at ``start``; 0 if it and its comma exceed ``room``."""
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
    raise AssertionError("valid JSON closes its brackets")


_COMMA_FOLLOWS = re.compile(r"[ \t\r\n]*,")
