"""Diagnostics as text for people and as an object for programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from netdesc.description.diagnostics.diagnostic import Diagnostic, Related
from netdesc.description.diagnostics.terminal_text import cells, head, printable, wrapped
from netdesc.description.diagnostics.wording import amount, is_complete, kinds, place

_COLOURS = {
    "error": "\x1b[1;31m",
    "warning": "\x1b[1;33m",
    "second": "\x1b[1;34m",
    "bold": "\x1b[1m",
    "dim": "\x1b[2m",
}
_RESET = "\x1b[0m"
_WINDOW = 1000
_USUAL_WIDTH = 100
_LEAST_WIDTH = 20
"""Room for an excerpt, on however narrow a terminal."""
_MOST_SECONDS = 3
"""So many second places are shown to people; programs are given all."""
_LEAST_BESIDE = 16
"""A label stands under its carets rather than in less room than this beside their column."""

FIXING = "netdesc validate --fix"


def render_text(
    diagnostics: Iterable[Diagnostic],
    *,
    width: int | None = None,
    colour: bool = False,
    fixing: str = FIXING,
    files: int = 1,
) -> str:
    """All findings with excerpts and carets, one line of totals a file, and one of all.

    ``width`` is that of a terminal, at which lines are broken; without one only excerpts are cut.
    ``fixing`` is the command that mends what is marked ``[*]``. No final line break.
    """
    found = list(diagnostics)
    page = _Page(width, colour)
    lines = [line for diagnostic in found for line in page.finding(diagnostic)]
    origins: dict[str, list[Diagnostic]] = {}
    for diagnostic in found:
        origins.setdefault(_origin(diagnostic), []).append(diagnostic)
    for origin, own in origins.items():
        lines += page.wrapped(f"{origin}: {totals(own, fixing)}")
    if files > 1 and found:
        lines += page.wrapped(f"{amount(files, 'file')}: {totals(found, fixing)}")
    return "\n".join(lines)


def to_json(diagnostics: Iterable[Diagnostic], files: int) -> dict[str, Any]:
    """One object for ``--format json``. Lines and columns are null where there is no place.

    ``complete`` is false where there may be more findings than are listed.
    """
    found = list(diagnostics)
    errors = sum(diagnostic.is_error for diagnostic in found)
    return {
        "diagnostics": [_record(each) for each in found],
        "files": files,
        "errors": errors,
        "warnings": len(found) - errors,
        "complete": is_complete(found),
    }


def totals(diagnostics: Sequence[Diagnostic], fixing: str = FIXING) -> str:
    """How many errors and warnings there are, and how many of them can be fixed."""
    words = kinds(diagnostics)
    fixable = sum(diagnostic.fix is not None for diagnostic in diagnostics)
    if fixable:
        words.append(f"{fixable:,} can be fixed with {fixing}")
    return ", ".join(words)


_FOR_PEOPLE = ("excerpt", "is_last_looked_for")
"""Fields that programs are not given: they have the file, and "complete"."""


def _record(found: Diagnostic | Related) -> dict[str, Any]:
    record = {key: value for key, value in asdict(found).items() if key not in _FOR_PEOPLE}
    if isinstance(found, Diagnostic):
        record["related"] = [_record(second) for second in found.related]
    return record


def _origin(diagnostic: Diagnostic) -> str:
    """What has to be mended: the file, or what the command line puts into it."""
    file = printable(diagnostic.file)
    return file if diagnostic.override is None else f"--set for {file}"


@dataclass(frozen=True, slots=True)
class _Mark:
    """A place in a line of a file, to be underlined with a label."""

    file: str
    line: int
    start: int
    end: int
    excerpt: str
    label: str
    sign: str
    colour: str


def _mark(found: Diagnostic | Related, label: str, sign: str, colour: str) -> _Mark:
    assert found.line is not None
    assert found.column is not None
    line = found.excerpt
    start, end = found.column - 1, len(line) - line.endswith("\r")
    if found.end_line == found.line and found.end_column is not None:
        end = found.end_column - 1
    end = max(end, start + 1)
    return _Mark(found.file, found.line, start, end, line, printable(label), sign, colour)


@dataclass(frozen=True, slots=True)
class _Page:
    """What findings are written on."""

    width: int | None
    colour: bool

    def paint(self, text: str, name: str) -> str:
        return f"{_COLOURS[name]}{text}{_RESET}" if self.colour and text else text

    def wrapped(self, text: str, first: str = "", later: str = "  ") -> list[str]:
        return wrapped(text, self.width, first, later)

    def finding(self, diagnostic: Diagnostic) -> list[str]:
        """Where it is and what it is, the excerpts, and the notes."""
        lines = self._heading(diagnostic)
        if diagnostic.pointer:
            lines.append(f"  at {_short(diagnostic.pointer)}")
        margin, hint = "  ", [diagnostic.hint] if diagnostic.hint else []
        marks: list[_Mark] = []
        if diagnostic.line is not None:
            marks, hint = [_mark(diagnostic, diagnostic.hint, "^", diagnostic.severity)], []
        words: list[str] = []
        for second in diagnostic.related[:_MOST_SECONDS]:
            if marks and second.line is not None:
                marks.append(_mark(second, second.message, "-", "second"))
            else:
                words.append(_in_words(second))
        if marks:
            margin = " " * len(str(max(mark.line for mark in marks)))
            lines += self._excerpts(marks, margin)
        rest = len(diagnostic.related) - _MOST_SECONDS
        if rest > 0:
            words.append(f"{amount(rest, 'more place')}: --format json lists them")
        notes = [*hint, *words, *diagnostic.notes, f"help: netdesc explain {diagnostic.code}"]
        for note in notes:
            lines += self.wrapped(printable(note), f"{margin} = ", f"{margin}   ")
        return lines

    def _heading(self, diagnostic: Diagnostic) -> list[str]:
        if diagnostic.override is not None:
            where = f"--set {_short(diagnostic.override)}"
        else:
            where = place(diagnostic, printable(diagnostic.file))
        kind = f"{diagnostic.severity}[{diagnostic.code}]"
        message = printable(diagnostic.message) + (" [*]" if diagnostic.fix is not None else "")
        first, *more = self.wrapped(f"{where}: {kind}: {message}")
        if first.startswith(f"{where}: {kind}"):
            painted = f"{self.paint(where, 'bold')}: {self.paint(kind, diagnostic.severity)}"
            first = painted + first[len(f"{where}: {kind}") :]
        return [first, *more]

    def _excerpts(self, marks: Sequence[_Mark], margin: str) -> list[str]:
        """The lines of the marks; those in the first one's line come with it, the others below."""
        main = marks[0]
        beside = [each for each in marks if (each.file, each.line) == (main.file, main.line)]
        others = [each for each in marks if (each.file, each.line) != (main.file, main.line)]
        gutter = self.paint(f"{margin} |", "dim")
        lines = [gutter]
        before: _Mark | None = None
        before_is_cut = False
        for mark in (*beside, *others):
            is_same = before is not None and (before.file, before.line) == (mark.file, mark.line)
            text, start, length, is_cut = self._excerpt(mark, margin)
            if not is_same or is_cut or before_is_cut:
                if before is not None and mark.file != before.file:
                    place = f"{printable(mark.file)}:{mark.line}:{mark.start + 1}"
                    lines.append(self.paint(f"{margin}::: {place}", "dim"))
                elif before is not None and mark.line - before.line not in (0, 1):
                    lines.append(self.paint("...", "dim"))
                number = str(mark.line).rjust(len(margin))
                lines.append(f"{self.paint(f'{number} |', 'dim')} {text}")
            for under in self._under(mark, start, length, margin):
                lines.append(f"{gutter} {under}")
            before, before_is_cut = mark, is_cut
        return lines

    def _room(self, margin: str) -> int:
        return max(_LEAST_WIDTH, (self.width or _USUAL_WIDTH) - len(margin) - 3)

    def _excerpt(self, mark: _Mark, margin: str) -> tuple[str, int, int, bool]:
        """The source line, where the carets stand, and whether it was cut around them."""
        line, room = mark.excerpt, self._room(margin)
        # A line may be the whole file, and each part of it is shown for a screen's width at most.
        before, marked, after = (
            printable(line[max(0, mark.start - _WINDOW) : mark.start]),
            printable(line[mark.start : min(mark.end, mark.start + _WINDOW)]),
            printable(line[mark.end : mark.end + _WINDOW].removesuffix("\r")),
        )
        is_cut = cells(before) + max(1, cells(marked)) + cells(after) > room
        if is_cut:
            before, marked, after = _cut(before, marked, after, room)
        return before + marked + after, cells(before), max(1, cells(marked)), is_cut

    def _under(self, mark: _Mark, start: int, length: int, margin: str) -> list[str]:
        """The carets, with their label beside them or, where it is too long, below."""
        room = self._room(margin)
        carets = " " * start + self.paint(mark.sign * length, mark.colour)
        if not mark.label:
            return [carets]
        if self.width is None or start + length + 1 + cells(mark.label) <= room:
            return [f"{carets} {mark.label}"]
        indent = " " * (start if room - start >= min(_LEAST_BESIDE, cells(mark.label)) else 0)
        return [carets, *(indent + each for each in wrapped(mark.label, room - len(indent)))]


def _short(text: str) -> str:
    return printable(text if len(text) <= _WINDOW else text[:_WINDOW] + "…")


def _in_words(second: Related) -> str:
    """A second place of which no line can be shown."""
    if second.override is not None:
        return f"{second.message}: --set {_short(second.override)}"
    where = f"{second.file}:{second.line}" if second.line is not None else second.file
    return f"{second.message}: {where}"


def _cut(before: str, marked: str, after: str, room: int) -> tuple[str, str, str]:
    """Shorten the three parts of a line to the room there is, most of it left of the place."""
    if cells(marked) > room // 2:
        marked = head(marked, room // 2 - 1) + "…"
    left = room - max(1, cells(marked))
    keep_before = max(left * 2 // 3, left - cells(after))
    if cells(before) > keep_before:
        before = "…" + head(before[::-1], keep_before - 1)[::-1]
    keep_after = left - cells(before)
    if cells(after) > keep_after:
        after = head(after, keep_after - 1) + "…" if keep_after > 0 else ""
    return before, marked, after
