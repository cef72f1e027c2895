"""What a command prints: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.table import Table


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
        """The one object of ``--json``."""
        self._write(sys.stdout, json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False))

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """A result as a table; columns of numbers are set to the right."""
        from rich.box import SIMPLE_HEAD
        from rich.table import Table

        table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
        for number, heading in enumerate(headings):
            numeric = all(isinstance(row[number], int | float) for row in rows)
            table.add_column(heading, justify="right" if numeric else "left", no_wrap=True)
        for row in rows:
            table.add_row(*(_cell(value) for value in row))
        self.say(self._render(table))

    @staticmethod
    def has_colour(stream: TextIO) -> bool:
        """Only a terminal is given colour, and only without ``NO_COLOR``."""
        return stream.isatty() and not os.environ.get("NO_COLOR")

    def flush(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            self._write(stream, "", end="")

    def _render(self, table: Table) -> str:
        """The table as text, in colour only for a terminal without ``NO_COLOR``."""
        from rich.console import Console

        stream = sys.stderr if self.as_json else sys.stdout
        console = Console(file=stream, width=None if stream.isatty() else 120)
        with console.capture() as capture:
            console.print(table)
        return "\n".join(line.rstrip() for line in capture.get().splitlines())

    def _write(self, stream: TextIO, text: str, end: str = "\n") -> None:
        try:
            stream.write(text + end)
            stream.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
