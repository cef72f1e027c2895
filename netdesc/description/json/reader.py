"""Reads JSON text as a tree with the positions of all values and keys.

The standard library parses valid text. Damaged text is split into tokens and repaired in the most
likely way, with a diagnostic for each repair; then the standard library parses the result. A value
that cannot be read becomes ``null``. There is no tree if a part was dropped or brackets do not
match.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from netdesc.description.json.collector import Collector, TextDiagnostic, Unrecoverable, cut, edit
from netdesc.description.json.lexer import read_tokens
from netdesc.description.json.recovery import Recovery
from netdesc.description.json.tree import Node, Parts, RepairedText, read_valid
from netdesc.description.source import Source

_CONFLICT = re.compile(r"^[ \t]*(<{7}|\|{7}|={7}|>{7})(?:[ \r][^\n]*)?$", re.MULTILINE)
"""A marker of git's at the beginning of a line."""


@dataclass(slots=True)
class Parsed:
    """The tree of a text, and its diagnostics in the order of the text."""

    root: Node | None
    """``None`` if the text could not be repaired reliably."""
    diagnostics: list[TextDiagnostic]
    guessed: dict[int, Parts] = field(default_factory=dict[int, Parts])
    """Maps the offset of each unreadable value to its path. ``null`` replaces such values."""


def parse(source: Source) -> Parsed:
    """Parses JSON text. Errors become diagnostics, not exceptions."""
    text, found = source.text, list[TextDiagnostic]()
    if text.startswith("\ufeff"):
        message, fix = "the file starts with a byte order mark", edit("remove it", (0, 1, ""))
        found.append(TextDiagnostic("ND004", 0, 1, message, "save without BOM", fix))
        text = " " + text[1:]
    root = read_valid(text)
    if root is not None:
        return Parsed(root, found)
    if conflict := _CONFLICT.search(text):
        message = "a merge conflict that is not resolved"
        hint = "keep one side, without the markers"
        return Parsed(None, [*found, TextDiagnostic("ND007", *conflict.span(1), message, hint)])
    collector = Collector(text)
    root = _repair(text, collector)
    return Parsed(root, found + collector.diagnostics(), collector.guessed)


def _repair(text: str, collector: Collector) -> Node | None:
    recovery = Recovery(text, collector)
    try:
        recovery.read(_read_foreword(text, collector))
    except Unrecoverable:
        return None
    if collector.is_lossy:
        return None
    repaired = RepairedText(recovery.tokens)
    return Node(json.loads(repaired.text), repaired, 0, len(repaired.text))


def _read_foreword(text: str, collector: Collector) -> int:
    """Returns the offset of the document, and reports text before it, such as ``network =``.

    Raises Unrecoverable if the text contains no document.
    """
    first = next(read_tokens(text))
    start = first.start
    if first.kind == ".":
        message = "the file contains no JSON"
        collector.add(TextDiagnostic("ND002", 0, min(1, len(text)), message))
        raise Unrecoverable
    is_fence = text.startswith("```", start)
    if first.group not in ("word", "other", "equals") and first.kind != ":" and not is_fence:
        return 0
    brace = text.find("{", start)
    is_alone = brace < 0 or "\n" in text[start:brace]
    end = start + len(text[start:].partition("\n")[0].rstrip()) if is_alone else brace
    message = f'a document begins with "{{", not with {cut(text[start:end].strip())}'
    collector.add(TextDiagnostic("ND007", start, end, message))
    if is_alone:
        raise Unrecoverable
    return brace
