"""The text of a document: reading it, and where in it an offset lies."""

from __future__ import annotations

import bisect
import itertools
import os
import re
import stat
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from netdesc.description.diagnostics.diagnostic import Diagnostic
from netdesc.runs.files import LOCK

MAX_BYTES = 16 << 20
"""Largest document: weights and events lie in other files, and 100,000 of them can be named."""

MAX_MARKS = 2_000_000
"""Most marks of the text that begin a value or a line: each becomes something in memory."""
_MARKS = ",[{\n"

_MOST_FILES = 1000
"""So many entries of a directory are looked at."""
_LOOK_BYTES = 1 << 16
_LONE_RETURN = re.compile(r"\r(?!\n)")

_OTHER_FILES = {
    b"PK": (
        "a zip archive, such as an .npz file of arrays",
        'a document names it: "data": {"type": "arrays", "path": "…"}',
    ),
    b"\x89HDF": (
        "an hdf5 file, such as a .net network",
        "netdesc show says what is in a .net file, and netdesc import makes a document of it",
    ),
    b"\x93NUMPY": ("an .npy file of one array", "a document names files of spikes in its data"),
}
"""What users take for a document, by how it starts; and what to do with it."""


@dataclass(frozen=True)
class Source:
    """A text with the name under which diagnostics show it."""

    text: str
    name: str

    @cached_property
    def with_line_feeds(self) -> str:
        """The text in which a carriage return that ends a line by itself is a line feed."""
        return _LONE_RETURN.sub("\n", self.text) if "\r" in self.text else self.text

    @cached_property
    def _line_starts(self) -> list[int]:
        starts = [0]
        position = self.with_line_feeds.find("\n")
        while position >= 0:
            starts.append(position + 1)
            position = self.with_line_feeds.find("\n", position + 1)
        return starts

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column of a character, both from 1."""
        line = bisect.bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    def offset(self, line: int, column: int) -> int:
        """Where in the text a line and column are."""
        return self._line_starts[line - 1] + column - 1

    @cached_property
    def _lines(self) -> list[str]:
        return self.with_line_feeds.split("\n")

    def line(self, number: int) -> str:
        """A line, counted from 1, without its line break. All findings in a line share its text."""
        return self._lines[number - 1]


_INHERITED = ("/dev/stdin", "/dev/fd/")
"""Pipes under these names have a writer: the shell has opened them."""


def file_size(path: Path) -> int:
    """Size of a regular file in bytes. Raises OSError, and ValueError with why it is none.

    Others are not to be opened: a pipe may wait for its writer for ever.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        is_directory = stat.S_ISDIR(status.st_mode)
        raise ValueError("it is a directory" if is_directory else "it is no ordinary file")
    return status.st_size


def read_source(path: Path, name: str) -> Source | Diagnostic:
    """The file's text, or the reason why there is none."""
    try:
        if not path.is_dir() and not (path.is_fifo() and str(path).startswith(_INHERITED)):
            file_size(path)
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as problem:  # ValueError: a NUL in the path
        reason = getattr(problem, "strerror", None) or str(problem)
        hint = _document_inside(path, name) if isinstance(problem, IsADirectoryError) else ""
        return Diagnostic("ND001", "error", name, f"cannot read the file: {reason}", hint=hint)
    return decode_source(raw, name)


def decode_source(raw: bytes, name: str) -> Source | Diagnostic:
    """The text of these bytes, or the reason why they are no document's."""
    if len(raw) > MAX_BYTES:
        limit = MAX_BYTES >> 20
        return Diagnostic(
            "ND005",
            "error",
            name,
            f"the file is larger than {limit} MiB",
            notes=(
                "a description holds no weights and no events: these lie in files of their own",
            ),
        )
    for start, (what, hint) in _OTHER_FILES.items():
        if raw.startswith(start):
            return Diagnostic("ND003", "error", name, f"this is {what}, not a document", hint=hint)
    if b"\0" in raw[:_LOOK_BYTES] and not raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _binary(raw, name)
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return Diagnostic("ND003", "error", name, "the file is UTF-16; save it as UTF-8")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as problem:
        message = f"the file is not UTF-8: byte 0x{raw[problem.start]:02x} begins no character"
        return _behind(raw[: problem.start].decode("utf-8"), name, message)
    if sum(text.count(mark) for mark in _MARKS) > MAX_MARKS:
        message = f"the document has more than {MAX_MARKS:,} values and lines"
        return Diagnostic("ND005", "error", name, message)
    return Source(text, name)


def _behind(before: str, name: str, message: str, hint: str = "") -> Diagnostic:
    """A finding at the first byte that is none of a text."""
    source = Source(before, name)
    line, column = source.place(len(before))
    excerpt = source.line(line) + "\ufffd"
    return Diagnostic(
        "ND003", "error", name, message, "", line, column, line, column + 1, hint, excerpt=excerpt
    )


def _binary(raw: bytes, name: str) -> Diagnostic:
    """A file with NUL bytes: something else, or a text in which a few were left."""
    try:
        before = raw[: raw.index(b"\0")].decode("utf-8")
    except UnicodeDecodeError:
        before = ""
    if not before.lstrip("\ufeff \t\r\n").startswith("{"):
        return Diagnostic("ND003", "error", name, "this is a binary file, not a document")
    hint = "take it away; at the end, it says that the file was not written whole"
    return _behind(before, name, "a NUL byte: this is no text from here on", hint)


def _document_inside(directory: Path, name: str) -> str:
    """Names the document of a directory, where there is exactly one."""
    try:
        with os.scandir(directory) as entries:
            files = [
                each.name
                for each in itertools.islice(entries, _MOST_FILES)
                if each.name.endswith(".json") and each.is_file()
            ]
        if LOCK in files:  # of a run, whose document has paths that hold where it came from
            return f'did you mean "{os.path.join(name, LOCK)}"?'
        # A lock is made of a document, which stands beside it.
        own = [each for each in files if not each.endswith(".lock.json")]
        found = [each for each in own if _is_like_a_document(directory / each)]
    except OSError:
        return ""
    return f'did you mean "{os.path.join(name, found[0])}"?' if len(found) == 1 else ""


def _is_like_a_document(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(_LOOK_BYTES)
    return all(key in start for key in (b'"format"', b'"layers"'))
