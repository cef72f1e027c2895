"""Objects that Python prints, and a notebook shows, as a title and a small table."""

import html
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from netdesc.description.diagnostics.wording import escape

MAX_LINES = 15
"""The most lines of an object that Python prints."""

MAX_CHARACTERS = 300
"""Longer texts are cut."""

Cell = str | int | float | Path
"""What a table holds. A notebook shows a path as a link."""

_LEFT = ' style="text-align:left"'


class Outline(NamedTuple):
    """What is shown of an object: a title, pairs of a name and its value, and a table.

    The first of ``rows`` holds the headings. Rows in the middle are left out if they are many.
    """

    title: str
    facts: Sequence[tuple[str, Cell]]
    rows: Sequence[Sequence[Cell]]

    def shown_rows(self) -> Sequence[Sequence[Cell]]:
        """Returns as many rows as fit, and one that counts the others."""
        room, rows = MAX_LINES - 1 - len(self.facts), self.rows
        if len(rows) <= room:
            return rows
        return [*rows[: room - 2], (f"… {len(rows) - room + 1} more",), rows[-1]]


class Outlined:
    """Base class of objects shown by their ``outline``. Dataclasses need ``repr=False``."""

    def outline(self) -> Outline:
        raise NotImplementedError

    def __repr__(self) -> str:
        outline = self.outline()
        facts = [(name, _text(value)) for name, value in outline.facts]
        return "\n".join([_text(outline.title), *_columns(facts), *_columns(outline.shown_rows())])

    def _repr_html_(self) -> str:
        """Returns what a notebook shows, in which all text is escaped."""
        outline = self.outline()
        facts, (headings, *rows) = outline.facts, outline.shown_rows()
        first = "".join(map(_html_row, facts))
        second = "".join([_html_row(headings, "th"), *map(_html_row, rows)])
        title = html.escape(_text(outline.title))
        return f"<p>{title}</p><table>{first}</table><table>{second}</table>"


def first_warnings(warnings: Sequence[str], count: int = 2) -> list[tuple[str, Cell]]:
    """Returns the first warnings as facts, and the number of the others."""
    facts: list[tuple[str, Cell]] = [("warning", text) for text in warnings[:count]]
    more = len(warnings) - count
    return facts if more <= 0 else [*facts, ("", f"{more} more in .warnings")]


def _columns(rows: Sequence[Sequence[Cell]]) -> Iterator[str]:
    """Yields rows as lines with columns of equal width. Integers are at the right of theirs. A row
    with fewer cells than the others does not widen a column."""
    columns = max(map(len, rows), default=0)
    texts = [[_text(cell) for cell in row] for row in rows]
    full = [row for row in texts if len(row) == columns]
    widths = [max(map(len, column)) for column in zip(*full, strict=True)]
    numbers = {place for row in rows for place, cell in enumerate(row) if isinstance(cell, int)}
    for row in texts:
        places = enumerate(zip(row, widths, strict=False))
        cells = (t.rjust(w) if place in numbers else t.ljust(w) for place, (t, w) in places)
        yield "  ".join(cells).rstrip()


def _html_row(row: Sequence[Cell], tag: str = "td") -> str:
    others = "".join(f"<{tag}{_LEFT}>{_html_cell(cell)}</{tag}>" for cell in row[1:])
    return f"<tr><th{_LEFT}>{_html_cell(row[0])}</th>{others}</tr>"


def _html_cell(cell: Cell) -> str:
    text = html.escape(_text(cell))
    if not isinstance(cell, Path):
        return text
    try:
        link = os.path.relpath(cell).replace(os.sep, "/")  # Jupyter serves only such paths
    except ValueError:  # on another drive of Windows
        return text
    return f'<a href="{html.escape(link)}" target="_blank">{text}</a>'


def _text(cell: Cell) -> str:
    """Returns the text of a cell on one line. Long texts are cut."""
    if isinstance(cell, float):
        return f"{cell:,.6g}"
    text = f"{cell:,}" if isinstance(cell, int) else escape(str(cell))
    return text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]} …"
