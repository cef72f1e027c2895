"""Reads the text of a document, tells it from other files, and converts offsets to lines."""

import bisect
import os
import re
import stat
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TypeVar

from netdesc.description.diagnostics.diagnostic import Diagnostic, Edit, Fix, Related

Located = TypeVar("Located", Diagnostic, Related)

LOCK = "network.lock.json"
"""The name of the lock in a run's folder: the document with all defaults and their origins."""
BEST_WEIGHTS = "checkpoints/best.safetensors"
"""The path of the best weights in a run's folder, which ``weights.path`` may name."""

MAX_BYTES = 16 << 20
"""Size of the largest document. It has room for the paths of 100,000 event files."""

MAX_MARKS = 1_000_000
"""Largest number of values and lines. Objects and lists take most memory and count four times."""
_MARKS = {",": 1, "\n": 1, "[": 4, "{": 4}

_HEAD_BYTES = 1 << 16  # number of bytes at the start of a file that are examined

_SCHEMA = re.compile(rb'"\$schema"\s*:\s*"([^"]*)"')
_KEYS = (b'"layers"', b'"neurons"', b'"loss"', b'"training"')
NETWORK_SUFFIXES = (".net", ".nir")
"""Ends of the names of network files that netdesc reads, in lower case."""
HDF5_START = b"\x89HDF"
"""The first bytes of an hdf5 file."""

_OTHER_FILES = {
    b"PK": (
        "a zip archive, such as an .npz file of arrays",
        'a document names it: "data": {"type": "arrays", "path": "…"}',
    ),
    HDF5_START: (
        "an hdf5 file, such as a .net or .nir network",
        "netdesc show says what is in it, and netdesc import makes a document of it",
    ),
    b"\x93NUMPY": ("an .npy file of one array", "a document names files of spikes in its data"),
}
"""Maps the first bytes of files that are often confused with documents to (what, hint)."""


@dataclass(frozen=True)
class Source:
    """A text, and the name that diagnostics show for it."""

    text: str
    name: str

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer("\n", self.text))]

    def place(self, offset: int) -> tuple[int, int]:
        """Returns the line and column of an offset, both counted from 1."""
        line = bisect.bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    def line(self, number: int) -> str:
        """Returns the line with this number, counted from 1, without its line feed."""
        start = self._line_starts[number - 1]
        end = self.text.find("\n", start)
        return self.text[start : end if end >= 0 else None]

    def _lines(self, start: int, end: int) -> dict[str, int]:
        (line, column), (end_line, end_column) = self.place(start), self.place(max(end, start))
        return {"line": line, "column": column, "end_line": end_line, "end_column": end_column}

    def locate(self, place: Located, start: int, end: int) -> Located:
        """Adds the lines, columns and excerpt of a span to a diagnostic or related place."""
        lines = self._lines(start, end)
        return replace(place, **lines, excerpt=self.line(lines["line"]))

    def fix(self, title: str, start: int, end: int, replacement: str) -> Fix:
        """Returns a fix that replaces the text of a span."""
        return Fix(title, (Edit(start, end, replacement, **self._lines(start, end)),))


_INHERITED = ("/dev/stdin", "/dev/fd/")
"""Beginnings of the paths of pipes that the shell opened: they have a writer, so reading ends."""


def file_size(path: Path) -> int:
    """Returns the size of a file in bytes. Raises OSError, or ValueError if it is no regular file.

    Call this before opening a file: reading a pipe may block for ever.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        is_directory = stat.S_ISDIR(status.st_mode)
        raise ValueError("it is a directory" if is_directory else "it is not a regular file")
    return status.st_size


def read_source(path: Path, name: str) -> Source | Diagnostic:
    """Reads a file. Returns its text, or the diagnostic that says why it cannot be read."""
    try:
        if not path.is_dir() and not (path.is_fifo() and str(path).startswith(_INHERITED)):
            file_size(path)
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as problem:  # ValueError: a NUL in the path
        reason = getattr(problem, "strerror", None) or str(problem)
        is_run = (path / LOCK).is_file() if isinstance(problem, IsADirectoryError) else False
        hint = f'did you mean "{os.path.join(name, LOCK)}"?' if is_run else ""
        return Diagnostic("ND001", "error", name, f"cannot read the file: {reason}", hint=hint)
    return decode_source(raw, name)


def decode_source(raw: bytes, name: str) -> Source | Diagnostic:
    """Decodes UTF-8. Returns the text, or the diagnostic that says why it is not a document."""
    error = partial(Diagnostic, severity="error", file=name)
    if len(raw) > MAX_BYTES:
        hint = "a description contains no weights and no events: they are in separate files"
        return error("ND005", message=f"the file is larger than {MAX_BYTES >> 20} MiB", hint=hint)
    for start, (what, hint) in _OTHER_FILES.items():
        if raw.startswith(start):
            return error("ND003", message=f"this is {what}, not a document", hint=hint)
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return error("ND003", message="the file is UTF-16; save it as UTF-8")
    if b"\0" in raw[:_HEAD_BYTES]:
        hint = "a text with bytes of 0 at its end was not written completely"
        return error("ND003", message="this is a binary file, not a document", hint=hint)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as problem:
        message = f"the file is not UTF-8: byte 0x{raw[problem.start]:02x} is not a character"
        before = Source(raw[: problem.start].decode("utf-8"), name)
        end = len(before.text)
        diagnostic = before.locate(error("ND003", message=message), end, end + 1)
        return replace(diagnostic, excerpt=diagnostic.excerpt + "\ufffd")
    if sum(text.count(mark) * weight for mark, weight in _MARKS.items()) > MAX_MARKS:
        message = f"the document has more than {MAX_MARKS:,} values and lines"
        hint = "an object or a list counts as four"
        return error("ND005", message=message, hint=hint)
    return Source(text, name)


def _read_start(path: Path) -> bytes | None:
    """Returns the first bytes of a file; None of a pipe or folder, or if it cannot be read."""
    try:
        file_size(path)
        with path.open("rb") as file:
            return file.read(_HEAD_BYTES)
    except (OSError, ValueError):  # ValueError: a pipe or a folder, or a NUL in the path
        return None


def may_be_document(path: Path) -> bool:
    """Returns True if a file looks like a document, valid or not, or if it cannot be read.

    A document names netdesc's schema in ``$schema``, or it has the key ``format`` and at least two
    of ``layers``, ``neurons``, ``loss`` and ``training`` (any key may be misspelt). A pipe gives
    True without being read, because its content can be read only once.
    """
    start = _read_start(path)
    if start is None:
        return True
    start = start.replace(b"\0", b"")  # half of the bytes of UTF-16
    schema = _SCHEMA.search(start)
    if schema and schema[1].endswith(b"network.schema.json"):
        return True
    if schema and b"json-schema.org" in schema[1]:
        return False  # a JSON Schema, such as netdesc's own
    return b'"format"' in start and sum(key in start for key in _KEYS) > 1


def is_network_file(path: Path) -> bool:
    """Returns True if a file is a network file: by its suffix, or because it is hdf5."""
    if path.suffix.lower() in NETWORK_SUFFIXES:
        return not os.path.isdir(path)  # False, too, for a name that the system refuses
    return (_read_start(path) or b"").startswith(HDF5_START)
