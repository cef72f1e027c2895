"""Prints the results of a command on standard output and all other text on standard error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Collection, Sequence
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.table import Table


_COLUMN_GAP = 3
"""Spaces between two columns of a table."""


class Output:
    """The output of one command.

    With ``as_json``, standard output holds one JSON object only, so ``print`` writes to standard
    error. If the reader closes the pipe early (``netdesc show … | head``), the command continues
    without output and keeps its exit code.
    """

    def __init__(self) -> None:
        self.as_json = False
        self.quiet = False

    def print(self, text: str) -> None:
        """Prints a result."""
        self._write(sys.stderr if self.as_json else sys.stdout, text)

    def info(self, text: str) -> None:
        """Prints additional information, unless ``--quiet`` is set."""
        if not self.quiet:
            self._write(sys.stderr, text)

    def error(self, text: str) -> None:
        """Prints an error or a warning, also with ``--quiet``."""
        self._write(sys.stderr, text)

    def print_json(self, result: dict[str, Any]) -> None:
        """Prints the object of ``--json``. Characters that cannot be encoded are escaped."""
        text = json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False)
        try:
            text.encode(sys.stdout.encoding or "utf-8")
        except UnicodeEncodeError:  # another encoding, or a file name with bytes that are not text
            text = json.dumps(result, indent=2, allow_nan=False)
        self._write(sys.stdout, text)

    def print_table(
        self,
        headings: Sequence[str],
        rows: Sequence[Sequence[object]],
        right: Collection[str] = (),
    ) -> None:
        """Prints a result as a table. Numbers, and columns in ``right``, are right-aligned.

        If the terminal is too narrow, each row is printed as a list. No text is cut off.
        """
        cells = [[_cell(value) for value in row] for row in rows]
        widths = [max(map(len, column)) for column in zip(headings, *cells, strict=True)]
        width = sum(widths) + _COLUMN_GAP * (len(widths) - 1)
        stream = sys.stderr if self.as_json else sys.stdout
        if stream.isatty() and width > get_terminal_size().columns:
            self.print(_format_rows_as_lists(headings, cells))
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
        self.print(self._render(table, stream, width))

    @staticmethod
    def has_colour(stream: TextIO) -> bool:
        """Whether to use colours, by NO_COLOR, else FORCE_COLOR, else the kind of terminal."""
        if os.environ.get("NO_COLOR"):
            return False
        forced = os.environ.get("FORCE_COLOR")
        if forced:
            return forced != "0"
        return stream.isatty() and os.environ.get("TERM") != "dumb"

    @staticmethod
    def width(stream: TextIO) -> int | None:
        """Returns the columns of the terminal, or None if ``stream`` is not a terminal."""
        if not stream.isatty():
            return None
        try:
            actual = os.get_terminal_size(stream.fileno()).columns
        except OSError:
            actual = 0
        columns = os.environ.get("COLUMNS", "")
        requested = int(columns) if columns.isascii() and columns.isdigit() else 0
        return requested or actual or 80

    def flush(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            self._write(stream, "", end="")

    def flush_after_failure(self) -> None:
        """Flushes both streams; discards text that cannot be written, as on a full disk."""
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except OSError:
                _redirect_to_null(stream)

    def _render(self, table: Table, stream: TextIO, width: int) -> str:
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
            _redirect_to_null(stream)


def _redirect_to_null(stream: TextIO) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _format_rows_as_lists(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Formats each row as a list of ``heading  value`` lines below the row's first cell."""
    width = max(map(len, headings[1:]), default=0)
    lines: list[str] = []
    for name, *values in rows:
        lines.append(f"{headings[0]} {name}")
        lines += [
            f"  {heading.ljust(width)}  {value}"
            for heading, value in zip(headings[1:], values, strict=True)
            if value
        ]
    return "\n".join(lines)
