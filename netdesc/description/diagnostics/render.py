"""Diagnostics as text for the terminal and as an object for JSON output."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from netdesc.description.diagnostics.diagnostic import Diagnostic, Related
from netdesc.description.diagnostics.wording import (
    amount,
    cells,
    head,
    is_complete,
    kinds,
    place,
    printable,
    visible,
    wrap,
)

_COLOURS = {
    "error": "\x1b[1;31m",
    "warning": "\x1b[1;33m",
    "related": "\x1b[1;34m",
    "bold": "\x1b[1m",
    "dim": "\x1b[2m",
}
_RESET = "\x1b[0m"
_MAX_QUOTED_CHARACTERS = 1000
_DEFAULT_EXCERPT_WIDTH = 100
_MIN_EXCERPT_WIDTH = 20
_MAX_RELATED = 3
"""Largest number of related places shown for a diagnostic; JSON output has all of them."""
_MIN_LABEL_WIDTH = 16
"""A label below the carets starts under them if it then has at least this many columns."""
_SAMPLE = re.compile(r"/data/\w+/\d")
_MAX_ALIKE = 3
"""Most diagnostics of samples, of one code and severity, that are shown; JSON output has all."""


def render_text(
    diagnostics: Iterable[Diagnostic],
    *,
    width: int | None = None,
    colour: bool = False,
    files: int = 1,
) -> str:
    """Returns all diagnostics as text, with excerpts and carets, and then lines of totals.

    There is a line of totals for each file, and one for all ``files`` if there are several. Lines
    are wrapped at ``width`` terminal columns; with ``None``, lines are not wrapped, but excerpts
    are cut. Diagnostics with a fix are marked ``[*]``. Of samples, only the first diagnostics with
    a code are shown, and the number of the others. The text does not end in a line break.
    """
    diagnostics = list(diagnostics)
    page = _Page(width, colour)
    lines: list[str] = []
    alike: Counter[tuple[str, str, str]] = Counter()
    origins: dict[str, list[Diagnostic]] = {}
    for diagnostic in diagnostics:
        file = printable(diagnostic.file)
        origin = file if diagnostic.override is None else f"--set for {file}"
        origins.setdefault(origin, []).append(diagnostic)
        kind = (origin, diagnostic.code, diagnostic.severity)
        alike[kind] += (is_sample := _SAMPLE.match(diagnostic.pointer) is not None)
        if not is_sample or alike[kind] <= _MAX_ALIKE:
            lines += page.diagnostic(diagnostic)
    for (origin, code, severity), count in alike.items():
        if count > _MAX_ALIKE:
            more = amount(count - _MAX_ALIKE, f"more {severity}")
            lines += page.wrap(f"{origin}: {more} {code} of samples: --format json lists them")
    for origin, group in origins.items():
        lines += page.wrap(f"{origin}: {_totals(group)}")
    if files > 1 and diagnostics:
        lines += page.wrap(f"{amount(files, 'file')}: {_totals(diagnostics)}")
    return "\n".join(lines)


def to_json(diagnostics: Iterable[Diagnostic], files: int) -> dict[str, Any]:
    """Returns the object that ``--format json`` prints.

    Lines and columns may be null (see ``Diagnostic``). ``complete`` is false if a search ended at
    its limit, so there may be more diagnostics.
    """
    diagnostics = list(diagnostics)
    errors = sum(each.is_error for each in diagnostics)
    return {
        "diagnostics": [_record(each) for each in diagnostics],
        "files": files,
        "errors": errors,
        "warnings": len(diagnostics) - errors,
        "complete": is_complete(diagnostics),
    }


def _totals(diagnostics: Sequence[Diagnostic]) -> str:
    words = kinds(diagnostics)
    if fixable := sum(diagnostic.fix is not None for diagnostic in diagnostics):
        words.append(f"{fixable:,} can be fixed with netdesc validate --fix")
    return ", ".join(words)


_TEXT_ONLY_FIELDS = ("excerpt", "ends_search")
"""Fields that JSON output leaves out: programs can read the source line from the file, and
"complete" tells them whether a search reached its limit.
"""


def _record(spot: Diagnostic | Related) -> dict[str, Any]:
    record = {key: value for key, value in asdict(spot).items() if key not in _TEXT_ONLY_FIELDS}
    if isinstance(spot, Diagnostic):
        record["related"] = [_record(each) for each in spot.related]
    return record


@dataclass(frozen=True, slots=True)
class _Mark:
    """A range of a source line that is underlined with ``sign`` and labelled."""

    line: int
    start: int
    end: int
    excerpt: str
    label: str
    sign: str
    colour: str


def _mark(spot: Diagnostic | Related, label: str, sign: str, colour: str) -> _Mark:
    assert spot.line is not None
    assert spot.column is not None
    line = spot.excerpt
    start, end = spot.column - 1, len(line) - line.endswith("\r")
    if spot.end_line == spot.line and spot.end_column is not None:
        end = spot.end_column - 1
    end = max(end, start + 1)
    return _Mark(spot.line, start, end, line, printable(label), sign, colour)


@dataclass(frozen=True, slots=True)
class _Page:
    """Lays out diagnostics for a terminal. ``width`` is in columns; ``None`` means no limit."""

    width: int | None
    colour: bool

    def paint(self, text: str, name: str) -> str:
        return f"{_COLOURS[name]}{text}{_RESET}" if self.colour and text else text

    def wrap(self, text: str, first: str = "", later: str = "  ") -> list[str]:
        return wrap(text, self.width, first, later)

    def diagnostic(self, diagnostic: Diagnostic) -> list[str]:
        """Returns the lines of one diagnostic: place and message, excerpts, and notes."""
        lines = self._heading(diagnostic)
        if diagnostic.pointer:
            lines.append(f"  at {visible(diagnostic.pointer)}")
        margin, hint = "  ", [diagnostic.hint] if diagnostic.hint else []
        marks: list[_Mark] = []
        if diagnostic.line is not None:
            marks, hint = [_mark(diagnostic, diagnostic.hint, "^", diagnostic.severity)], []
        related_notes: list[str] = []
        for related in diagnostic.related[:_MAX_RELATED]:
            if marks and related.line is not None:
                marks.append(_mark(related, related.message, "-", "related"))
            else:
                where = related.file if related.line is None else f"{related.file}:{related.line}"
                if related.override is not None:
                    where = f"--set {visible(related.override)}"
                related_notes.append(f"{related.message}: {where}")
        if marks:
            margin = " " * len(str(max(mark.line for mark in marks)))
            lines += self._excerpts(marks, margin)
        rest = len(diagnostic.related) - _MAX_RELATED
        if rest > 0:
            related_notes.append(f"{amount(rest, 'more place')}: --format json lists them")
        explain = f"help: netdesc explain {diagnostic.code}"
        for note in (*hint, *related_notes, *diagnostic.notes, explain):
            lines += self.wrap(printable(note), f"{margin} = ", f"{margin}   ")
        return lines

    def _heading(self, diagnostic: Diagnostic) -> list[str]:
        if diagnostic.override is not None:
            where = f"--set {visible(diagnostic.override)}"
        else:
            where = place(diagnostic, printable(diagnostic.file))
        kind = f"{diagnostic.severity}[{diagnostic.code}]"
        message = printable(diagnostic.message) + (" [*]" if diagnostic.fix is not None else "")
        first, *more = self.wrap(f"{where}: {kind}: {message}")
        if first.startswith(f"{where}: {kind}"):
            painted = f"{self.paint(where, 'bold')}: {self.paint(kind, diagnostic.severity)}"
            first = painted + first[len(f"{where}: {kind}") :]
        return [first, *more]

    def _excerpts(self, marks: Sequence[_Mark], margin: str) -> list[str]:
        """Returns the source lines of the marks with carets below; first that of the first mark."""
        marks = sorted(marks, key=lambda mark: mark.line != marks[0].line)
        width = max(_MIN_EXCERPT_WIDTH, (self.width or _DEFAULT_EXCERPT_WIDTH) - len(margin) - 3)
        gutter = self.paint(f"{margin} |", "dim")
        lines = [gutter]
        before: _Mark | None = None
        before_is_cut = False
        for mark in marks:
            step = 1 if before is None else mark.line - before.line
            text, start, length, is_cut = self._excerpt(mark, width)
            if step != 0 or is_cut or before_is_cut:
                if step not in (0, 1):
                    lines.append(self.paint("...", "dim"))
                number = str(mark.line).rjust(len(margin))
                lines.append(f"{self.paint(f'{number} |', 'dim')} {text}")
            for under in self._under(mark, start, length, width):
                lines.append(f"{gutter} {under}")
            before, before_is_cut = mark, is_cut
        return lines

    def _excerpt(self, mark: _Mark, width: int) -> tuple[str, int, int, bool]:
        """Returns the line's excerpt, the column and number of its carets, and if it is cut."""
        line = mark.excerpt
        # A line may be as long as the file, so each part is cut before its width is measured.
        before, marked, after = (
            printable(line[max(0, mark.start - _MAX_QUOTED_CHARACTERS) : mark.start]),
            printable(line[mark.start : min(mark.end, mark.start + _MAX_QUOTED_CHARACTERS)]),
            printable(line[mark.end : mark.end + _MAX_QUOTED_CHARACTERS].removesuffix("\r")),
        )
        is_cut = cells(before) + max(1, cells(marked)) + cells(after) > width
        if is_cut:
            before, marked, after = _cut(before, marked, after, width)
        return before + marked + after, cells(before), max(1, cells(marked)), is_cut

    def _under(self, mark: _Mark, start: int, length: int, width: int) -> list[str]:
        """Returns the carets with the label beside them, or below them if it is too long."""
        carets = " " * start + self.paint(mark.sign * length, mark.colour)
        if not mark.label:
            return [carets]
        if self.width is None or start + length + 1 + cells(mark.label) <= width:
            return [f"{carets} {mark.label}"]
        longest = max(map(cells, mark.label.split(" ")))  # a word beyond the width stays whole
        needed = max(longest, min(_MIN_LABEL_WIDTH, cells(mark.label)))
        indent = " " * (start if width - start >= needed else 0)
        return [carets, *(indent + each for each in wrap(mark.label, width - len(indent)))]


def _cut(before: str, marked: str, after: str, width: int) -> tuple[str, str, str]:
    """Shortens the three parts of a line so that they fit into ``width`` columns."""
    # Two thirds of what the marked part leaves are for the part before it.
    if cells(marked) > width // 2:
        marked = head(marked, width // 2 - 1) + "…"
    left = width - max(1, cells(marked))
    keep_before = max(left * 2 // 3, left - cells(after))
    if cells(before) > keep_before:
        before = "…" + head(before[::-1], keep_before - 1)[::-1]
    keep_after = left - cells(before)
    if cells(after) > keep_after:
        after = head(after, keep_after - 1) + "…" if keep_after > 0 else ""
    return before, marked, after
