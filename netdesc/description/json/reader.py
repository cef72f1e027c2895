"""Reads JSON text as a tree with the positions of all values and keys.

The standard library parses valid text. Damaged text is split into tokens and repaired in the most
likely way, with a diagnostic for each repair; then the standard library parses the result. A value
that cannot be read becomes ``null``. There is no tree if a part was dropped or brackets do not
match.
"""

from __future__ import annotations

import bisect
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from netdesc.description.diagnostics.diagnostic import Edit, Fix
from netdesc.description.json.collector import Collector, TextDiagnostic, Unrecoverable, cut, edit
from netdesc.description.json.lexer import read_tokens
from netdesc.description.json.merge_conflicts import blank, find_conflicts
from netdesc.description.json.recovery import Recovery
from netdesc.description.json.tree import Node, Parts, RepairedText, Span, read_valid
from netdesc.description.source import Source

_FENCE = re.compile(r"\s*(```[^\n`]*)(?=\n)")


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
    text, found = source.with_line_feeds, list[TextDiagnostic]()
    if text.startswith("\ufeff"):
        message, fix = "the file starts with a byte order mark", edit("remove it", (0, 1, ""))
        found.append(TextDiagnostic("ND004", 0, 1, message, "save without BOM", fix))
        text = " " + text[1:]
    text, conflicts, spans = find_conflicts(text)
    text, fences = _without_fences(text)
    found += conflicts + fences
    root = read_valid(text)
    if root is not None:
        return Parsed(root, found)
    collector = Collector(text)
    root = _repair(text, collector)
    found += [each for each in collector.diagnostics() if not _is_within(each, spans)]
    found.sort(key=lambda each: each.start)
    return Parsed(root, found, collector.guessed)


def _is_within(diagnostic: TextDiagnostic, spans: Sequence[Span]) -> bool:
    """Returns True if a diagnostic starts in one of these spans, which are sorted."""
    before = bisect.bisect_right(spans, diagnostic.start, key=lambda span: span[0])
    return before > 0 and diagnostic.start <= spans[before - 1][1]


def _repair(text: str, collector: Collector) -> Node | None:
    recovery = Recovery(text, collector)
    try:
        recovery.read(_read_foreword(text, collector))
    except Unrecoverable:
        return None
    if collector.is_lossy:
        return None
    repaired = RepairedText(recovery.tokens)
    return Node.read(json.loads(repaired.text), repaired, 0, len(repaired.text))


def _read_foreword(text: str, collector: Collector) -> int:
    """Returns the offset of the document, and reports text before it, such as ``network =``.

    Raises Unrecoverable if the text contains no document.
    """
    first = next(read_tokens(text))
    start, end = first.start, first.end
    if first.kind == ".":
        message = "the file contains no JSON"
        collector.add(TextDiagnostic("ND002", 0, min(1, len(text)), message))
        raise Unrecoverable
    if first.group not in ("word", "other", "equals") and first.kind != ":":
        return 0
    brace = text.find("{", start)
    is_alone = brace < 0 or "\n" in text[start:brace]
    end = end if is_alone else brace
    message = f'a document begins with "{{", not with {cut(text[start:end].strip())}'
    collector.add(TextDiagnostic("ND007", start, end, message))
    if is_alone:
        raise Unrecoverable
    return brace


def _without_fences(text: str) -> tuple[str, list[TextDiagnostic]]:
    """Replaces Markdown code fences by spaces. Returns the text and at most one diagnostic."""
    first = _FENCE.match(text)
    if first is None:
        return text, []
    start, end = first.span(1)
    edits, last = [Edit(start, end, "")], len(text.rstrip())
    inside, tail = text[end:last], text[last:]
    if inside.endswith("\n```"):
        edits.append(Edit(last - 3, last, ""))
        inside, tail = inside[:-3], "   " + tail
    hint = "remove its lines"
    fix = Fix(hint, tuple(edits))
    message = "a code fence of Markdown"
    diagnostic = TextDiagnostic("ND007", start, end, message, hint, fix)
    return blank(text[:end]) + inside + tail, [diagnostic]
