"""Diagnostics as text for people and as an object for programs."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from netdesc.description.diagnostic import Diagnostic

_COLOURS = {"error": "\x1b[1;31m", "warning": "\x1b[1;33m", "bold": "\x1b[1m", "dim": "\x1b[2m"}
_RESET = "\x1b[0m"
_TAB = "    "
_WINDOW = 1000


def render_text(
    diagnostics: Iterable[Diagnostic], *, width: int = 100, colour: bool = False
) -> str:
    """All findings with excerpt and caret, and one line of totals a file. No final line break."""
    found = list(diagnostics)
    lines = [line for diagnostic in found for line in _finding(diagnostic, width, colour)]
    for place in dict.fromkeys(_origin(diagnostic) for diagnostic in found):
        own = [diagnostic for diagnostic in found if _origin(diagnostic) == place]
        lines.append(f"{place}: {_totals(own)}")
    return "\n".join(lines)


def to_json(diagnostics: Iterable[Diagnostic], files: int) -> dict[str, Any]:
    """One object for ``--format json``. Lines and columns are null where there is no place."""
    found = list(diagnostics)
    errors = sum(diagnostic.is_error for diagnostic in found)
    records = [
        {
            "code": each.code,
            "severity": each.severity,
            "file": each.file,
            "line": each.line,
            "column": each.column,
            "end_line": each.end_line,
            "end_column": each.end_column,
            "pointer": each.pointer,
            "message": each.message,
            "hint": each.hint,
            "override": each.override,
        }
        for each in found
    ]
    return {
        "diagnostics": records,
        "files": files,
        "errors": errors,
        "warnings": len(found) - errors,
    }


def _origin(diagnostic: Diagnostic) -> str:
    """What has to be mended: the file, or what the command line puts into it."""
    file = _printable(diagnostic.file)
    return file if diagnostic.override is None else f"--set for {file}"


def _totals(diagnostics: Sequence[Diagnostic]) -> str:
    errors = sum(diagnostic.is_error for diagnostic in diagnostics)
    counts = {"error": errors, "warning": len(diagnostics) - errors}
    words = [f"{n} {word}{'s' if n > 1 else ''}" for word, n in counts.items() if n]
    return ", ".join(words)


def _finding(diagnostic: Diagnostic, width: int, colour: bool) -> list[str]:
    def paint(text: str, name: str) -> str:
        return f"{_COLOURS[name]}{text}{_RESET}" if colour and text else text

    if diagnostic.override is not None:
        where = f"--set {_printable(diagnostic.override)}"
    elif diagnostic.line is not None:
        where = f"{_printable(diagnostic.file)}:{diagnostic.line}:{diagnostic.column}"
    else:
        where = _printable(diagnostic.file)
    kind = paint(f"{diagnostic.severity}[{diagnostic.code}]", diagnostic.severity)
    lines = [f"{paint(where, 'bold')}: {kind}: {_printable(diagnostic.message)}"]
    if diagnostic.pointer:
        lines.append(f"  at {_printable(diagnostic.pointer)}")
    margin = "  "
    notes = [*diagnostic.notes, f"help: netdesc explain {diagnostic.code}"]
    if diagnostic.line is not None:
        number = str(diagnostic.line)
        margin = " " * len(number)
        excerpt, caret = _excerpt(diagnostic, max(20, width - len(number) - 3))
        carets = paint(caret, diagnostic.severity)
        hint = f" {_printable(diagnostic.hint)}" if diagnostic.hint else ""
        lines.append(paint(f"{margin} |", "dim"))
        lines.append(f"{paint(f'{number} |', 'dim')} {excerpt}")
        lines.append(f"{paint(f'{margin} |', 'dim')} {carets}{hint}")
    elif diagnostic.hint:
        notes.insert(0, diagnostic.hint)
    lines.extend(f"{margin} = {_printable(note)}" for note in notes)
    return lines


def _excerpt(diagnostic: Diagnostic, room: int) -> tuple[str, str]:
    """The source line, cut around the place if it is long, and the carets under it."""
    assert diagnostic.column is not None
    line = diagnostic.excerpt.rstrip("\r")
    start = diagnostic.column - 1
    end = len(line)
    if diagnostic.end_line == diagnostic.line and diagnostic.end_column is not None:
        end = diagnostic.end_column - 1
    end = max(end, start + 1)
    # A line may be the whole file, and each part of it is shown for a screen's width at most.
    near = (
        line[max(0, start - _WINDOW) : start],
        line[start : min(end, start + _WINDOW)],
        line[end : end + _WINDOW],
    )
    before, marked, after = (_printable(part) for part in near)
    if _cells(before) + max(1, _cells(marked)) + _cells(after) > room:
        before, marked, after = _cut(before, marked, after, room)
    carets = "^" * max(1, _cells(marked))
    return before + marked + after, " " * _cells(before) + carets


def _cut(before: str, marked: str, after: str, room: int) -> tuple[str, str, str]:
    """Shorten the three parts of a line to the room there is, most of it left of the place."""
    if _cells(marked) > room // 2:
        marked = _head(marked, room // 2 - 1) + "…"
    left = room - max(1, _cells(marked))
    keep_before = max(left * 2 // 3, left - _cells(after))
    if _cells(before) > keep_before:
        before = "…" + _head(before[::-1], keep_before - 1)[::-1]
    keep_after = left - _cells(before)
    if _cells(after) > keep_after:
        after = _head(after, keep_after - 1) + "…" if keep_after > 0 else ""
    return before, marked, after


def _head(text: str, room: int) -> str:
    """The beginning of a text that fills at most so many terminal columns."""
    used = 0
    for index, each in enumerate(text):
        used += _cells(each)
        if used > room:
            return text[:index]
    return text


def _printable(text: str) -> str:
    """Text that cannot move the cursor or colour the terminal: tabs widen, controls show."""
    text = text.replace("\t", _TAB)
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else "�" for each in text)


def _cells(text: str) -> int:
    """How many terminal columns a text fills: wide characters fill two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(each) else 1 + (unicodedata.east_asian_width(each) in "WF")
        for each in text
    )
