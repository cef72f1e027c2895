"""Documents whose text is replaced by another that means the same: read, compare, write.

``netdesc format`` and ``netdesc migrate`` say what the other text is.
"""

from __future__ import annotations

import difflib
import errno
import os
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from netdesc.description import Diagnostic
from netdesc.description.json.reader import parse
from netdesc.description.recognise import is_lock
from netdesc.description.source import MAX_BYTES, Source, decoded, read_source

STANDARD_INPUT = "-"

Change = Callable[[Source], str | list[Diagnostic]]
"""The new text of a document, or why there is none."""

_MOST_COMPARED = 20_000
"""Lines of a text up to which single changes are looked for: the search is quadratic at worst."""


@dataclass(frozen=True)
class Rewriting:
    """What becomes of a file. ``after`` is None where the file is refused; ``findings`` say why.

    The lock of a run stays as it is: what resumes the run trusts no other.
    """

    name: str
    before: str = ""
    after: str | None = None
    findings: tuple[Diagnostic, ...] = ()
    is_lock: bool = False

    @property
    def is_change(self) -> bool:
        return self.after is not None and self.after != self.before

    def diff(self) -> list[str]:
        """The lines of a unified diff, without their line breaks."""
        assert self.after is not None
        old, new = _lines(self.before), _lines(self.after)
        if max(len(old), len(new)) > _MOST_COMPARED:
            hunk = f"@@ -1,{len(old)} +1,{len(new)} @@"
            whole = [*(f"-{line}" for line in old), *(f"+{line}" for line in new)]
            diff = [f"--- {self.name}", f"+++ {self.name}", hunk, *whole]
        else:
            diff = difflib.unified_diff(old, new, self.name, self.name, lineterm="")
        return [line for each in diff for line in each.split("\n")]


def _lines(text: str) -> list[str]:
    """The lines as a diff shows them: it says so where the last one does not end."""
    lines = text.split("\n")
    last = lines.pop()
    return [*lines, f"{last}\n\\ No newline at end of file"] if last else lines


def rewriting(name: str, change: Change) -> Rewriting:
    """What ``change`` makes of the file ``name``, or of standard input; nothing is written yet."""
    source = _read(name)
    if isinstance(source, Diagnostic):
        return Rewriting(name, findings=(source,))
    if name != STANDARD_INPUT and _is_lock(source):
        return Rewriting(name, source.text, source.text, is_lock=True)
    made = change(source)
    if isinstance(made, str):
        return Rewriting(name, source.text, made)
    return Rewriting(name, source.text, findings=tuple(made))


def _read(name: str) -> Source | Diagnostic:
    if name == STANDARD_INPUT:
        return decoded(sys.stdin.buffer.read(MAX_BYTES + 1), "standard input")
    return read_source(Path(name), name)


def _is_lock(source: Source) -> bool:
    root = parse(source).root if '"lock"' in source.text else None
    return root is not None and is_lock(root.value)


def write(path: Path, text: str) -> None:
    """Replaces a document, whole or not at all. OSError, also where the file is write-protected.

    A file that has several names keeps them all, so it is written in place.
    """
    status = path.stat()  # it may have gone meanwhile
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, "the file is write-protected", str(path))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is no ordinary file, and cannot be replaced", str(path))
    if status.st_nlink > 1:
        with path.open("r+b") as file:
            file.write(text.encode())
            file.truncate()
        return
    from netdesc.events import atomic_path  # loads numpy

    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")
