"""What a command prints: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Collection, Sequence
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.table import Table


_GAP = 3
"""Spaces between two columns of a table."""


class Output:
    """One command's output.

    With ``as_json`` standard output holds one object and nothing else, so ``say`` moves to standard
    error. A reader that closes its pipe early (``netdesc show … | head``) must not stop the
    command: what is left to print is dropped, and the exit code stays the command's own.
    """

    def __init__(self) -> None:
        self.as_json = False
        self.quiet = False

    def say(self, text: str) -> None:
        """A result for the reader."""
        self._write(sys.stderr if self.as_json else sys.stdout, text)

    def note(self, text: str) -> None:
        """Something worth knowing beside the result; ``--quiet`` leaves it out."""
        if not self.quiet:
            self._write(sys.stderr, text)

    def complain(self, text: str) -> None:
        """A fault; never left out."""
        self._write(sys.stderr, text)

    def give(self, result: dict[str, Any]) -> None:
        """The one object of ``--json``. What standard output cannot show is escaped, not lost."""
        text = json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False)
        try:
            text.encode(sys.stdout.encoding or "utf-8")
        except UnicodeEncodeError:  # another encoding, or a file's name that is no text
            text = json.dumps(result, indent=2, allow_nan=False)
        self._write(sys.stdout, text)

    def table(
        self,
        headings: Sequence[str],
        rows: Sequence[Sequence[object]],
        right: Collection[str] = (),
    ) -> None:
        """A result as a table; columns of numbers, and those in ``right``, are set to the right.

        On a terminal too narrow for it every row becomes a list. Nothing is ever cut off.
        """
        cells = [[_cell(value) for value in row] for row in rows]
        widths = [max(map(len, column)) for column in zip(headings, *cells, strict=True)]
        width = sum(widths) + _GAP * (len(widths) - 1)
        stream = sys.stderr if self.as_json else sys.stdout
        if stream.isatty() and width > get_terminal_size().columns:
            self.say(_as_lists(headings, cells))
            return
        from rich.box import SIMPLE_HEAD
        from rich.table import Table

        table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
        for number, heading in enumerate(headings):
            values = [row[number] for row in rows if row[number] != ""]
            numeric = bool(values) and all(isinstance(each, int | float) for each in values)
            is_right = numeric or heading in right
            table.add_column(heading, justify="right" if is_right else "left", no_wrap=True)
        for row in cells:
            table.add_row(*row)
        self.say(self._render(table, stream, width))

    @staticmethod
    def has_colour(stream: TextIO) -> bool:
        """Only a terminal is given colour; ``NO_COLOR`` and ``FORCE_COLOR`` say otherwise."""
        if os.environ.get("NO_COLOR"):
            return False
        forced = os.environ.get("FORCE_COLOR")
        if forced:
            return forced != "0"
        return stream.isatty() and os.environ.get("TERM") != "dumb"

    @staticmethod
    def width(stream: TextIO) -> int | None:
        """How many columns a terminal has; None for what is none."""
        if not stream.isatty():
            return None
        try:
            own = os.get_terminal_size(stream.fileno()).columns
        except OSError:
            own = 0
        columns = os.environ.get("COLUMNS", "")
        given = int(columns) if columns.isascii() and columns.isdigit() else 0
        return given or own or 80

    def flush(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            self._write(stream, "", end="")

    def give_up(self) -> None:
        """Write what can be written still, at the end of a command that failed."""
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except OSError:
                _drop(stream)

    def _render(self, table: Table, stream: TextIO, width: int) -> str:
        """The table as text, in colour only for a terminal without ``NO_COLOR``."""
        from rich.console import Console

        console = Console(file=stream, width=width, markup=False)
        with console.capture() as capture:
            console.print(table)
        return "\n".join(line.rstrip() for line in capture.get().splitlines())

    def _write(self, stream: TextIO, text: str, end: str = "\n") -> None:
        try:
            stream.write(text + end)
            stream.flush()
        except BrokenPipeError:
            _drop(stream)


def _drop(stream: TextIO) -> None:
    """Let what is left to print go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _as_lists(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose columns stand below one another; the first names each row."""
    widest = max(map(len, headings[1:]), default=0)
    lines: list[str] = []
    for name, *values in rows:
        lines.append(f"{headings[0]} {name}")
        lines += [
            f"  {heading.ljust(widest)}  {value}"
            for heading, value in zip(headings[1:], values, strict=True)
            if value
        ]
    return "\n".join(lines)
