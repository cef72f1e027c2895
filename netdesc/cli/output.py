"""Prints the results of a command on standard output and all other text on standard error.

Text that comes from a file, a name or an argument is escaped here, and only here: a control
character in it cannot reach the terminal, and a line break in it cannot imitate a line of netdesc.
"""

import errno
import io
import json
import os
import stat
import sys
from collections.abc import Collection, Iterable, Sequence
from shutil import get_terminal_size
from typing import Any, TextIO

_COLUMN_GAP = 3
"""Spaces between two columns of a table."""


class SafeText(str):
    """Text that ``escape`` leaves unchanged: what is not netdesc's own in it is escaped already.

    Joining it with other text gives a ``str``, which is escaped again.
    """

    __slots__ = ()


def escape(text: str) -> SafeText:
    """Escapes line breaks and unprintable characters of ``text``, unless it is a SafeText."""
    if isinstance(text, SafeText):
        return text
    if not text.isprintable():
        from netdesc.description.diagnostics import wording  # loads pydantic

        text = wording.escape(text)
    return SafeText(text)


class Output:
    """The output of one command.

    With ``as_json``, standard output holds one JSON object only, so ``print`` writes to standard
    error. If the reader closes the pipe early (``netdesc show … | head``), or the terminal
    vanishes, the command continues without output and keeps its exit code.
    """

    def __init__(self) -> None:
        self.as_json = False
        self.quiet = False
        self.silent = False
        """Whether nothing is printed, because another process of the same training prints."""

    def print(self, *lines: str) -> None:
        """Prints a result. Each argument is one line; a line break in it is escaped."""
        self._write_lines(self._result_stream(), lines)

    def info(self, *lines: str) -> None:
        """Prints additional information, a line for each argument, unless ``--quiet`` is set."""
        if not self.quiet:
            self._write_lines(sys.stderr, lines)

    def error(self, *lines: str) -> None:
        """Prints an error, a line for each argument, also with ``--quiet``."""
        self._write_lines(sys.stderr, lines)

    def warn(self, *warnings: str) -> None:
        """Prints a line for each warning, also with ``--quiet``."""
        for warning in warnings:
            self.error(f"warning: {warning}")

    def print_json(self, *objects: dict[str, Any], **fields: Any) -> None:
        """Prints the object of ``--json`` in ASCII, which every terminal and encoding takes.

        The arguments are those of ``dict``.
        """
        text = json.dumps(dict(*objects, **fields), indent=2, allow_nan=False)
        self._write(sys.stdout, text.replace("\x7f", "\\u007f"))  # which JSON leaves as it is

    def print_document(self, text: str) -> None:
        """Prints the diff of documents as it is, or escapes each line for a terminal."""
        stream = self._result_stream()
        if stream.isatty():
            text = "\n".join(escape(line.expandtabs(4)) for line in text.split("\n"))
        self._write(stream, text)

    def print_csv(self, rows: Iterable[Sequence[object]]) -> None:
        """Prints a result as comma-separated values."""
        import csv  # few commands need it

        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        self.print_document(text.getvalue().rstrip("\n"))

    def print_table(
        self, headings: Sequence[str], rows: Sequence[Sequence[object]], right: Collection[str] = ()
    ) -> None:
        """Prints a result as a table. Numbers, and columns in ``right``, are right-aligned.

        If the terminal is too narrow, each row is printed as a list. No text is cut off.
        """
        titles: list[str] = [escape(heading) for heading in headings]
        right = set(map(escape, right))
        cells: list[list[str]] = [
            [escape(f"{cell:,}" if isinstance(cell, int) else str(cell)) for cell in row]
            for row in rows
        ]
        widths = [max(map(len, column)) for column in zip(titles, *cells, strict=True)]
        width = sum(widths) + _COLUMN_GAP * (len(widths) - 1)
        stream = self._result_stream()
        if stream.isatty() and width > get_terminal_size().columns:
            self.print(*_format_rows_as_lists(titles, cells))
            return
        for number, heading in enumerate(titles):
            values = [row[number] for row in rows if row[number] != ""]
            is_numeric = bool(values) and all(isinstance(value, int | float) for value in values)
            pad = str.rjust if is_numeric or heading in right else str.ljust
            titles[number] = pad(heading, widths[number])
            for row in cells:
                row[number] = pad(row[number], widths[number])
        lines = [(" " * _COLUMN_GAP).join(row).rstrip() for row in (titles, *cells)]
        self.print(lines[0], "─" * width, *lines[1:])

    @staticmethod
    def has_colour(stream: TextIO) -> bool:
        """Whether to use colours, by the variables NO_COLOR, FORCE_COLOR and TERM."""
        if os.environ.get("NO_COLOR"):
            return False
        forced = os.environ.get("FORCE_COLOR")
        if forced:
            return forced != "0"
        return stream.isatty() and os.environ.get("TERM") != "dumb"

    def flush(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            self._write(stream, "", end="")

    def flush_after_failure(self) -> None:
        """Flushes both standard streams. Text that cannot be written (full disk) is discarded."""
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except OSError:
                _redirect_to_null(stream)

    def _result_stream(self) -> TextIO:
        return sys.stderr if self.as_json else sys.stdout

    def _write_lines(self, stream: TextIO, lines: Sequence[str]) -> None:
        self._write(stream, "\n".join(map(escape, lines)))

    def _write(self, stream: TextIO, text: str, end: str = "\n") -> None:
        if self.silent:
            return
        try:
            stream.write(text + end)
            stream.flush()
        except OSError as error:
            # On a disk, an error of input and output means that a result is lost.
            is_terminal = stat.S_ISCHR(os.fstat(stream.fileno()).st_mode)
            has_vanished = error.errno == errno.EIO and is_terminal
            if not (isinstance(error, BrokenPipeError) or has_vanished):
                raise
            _redirect_to_null(stream)


def _redirect_to_null(stream: TextIO) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _format_rows_as_lists(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
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
    return lines
