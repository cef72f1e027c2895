"""Replaces the text of documents: reads them, and writes, prints, compares or lists the results.

``format``, ``migrate`` and ``validate --fix`` compute the new texts and use this module.
"""

from __future__ import annotations

import difflib
import errno
import io
import os
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from netdesc.cli import diagnostics_text
from netdesc.cli.exit_codes import ENVIRONMENT, INVALID_INPUT
from netdesc.cli.output import Output, colourise
from netdesc.description import Diagnostic, to_json
from netdesc.description.detect import is_lock
from netdesc.description.diagnostics.wording import amount
from netdesc.description.json.reader import parse
from netdesc.description.source import MAX_BYTES, Source, decode_source, read_source

STANDARD_INPUT = "-"
Mode = Literal["write", "print", "check", "diff"]
Change = Callable[[Source], str | list[Diagnostic]]
"""A function that returns the new text of a document, or diagnostics if it refuses the document."""

_MAX_COMPARED_LINES = 20_000
"""The diff of a longer file replaces all lines, because ``difflib`` may take quadratic time."""


@dataclass(frozen=True)
class Rewrite:
    """The text of a file before and after a change.

    ``after`` is None if the file is refused; ``diagnostics`` are the reasons. The lock of a run
    (network.lock.json) is never changed, because resuming the run verifies the text of the lock.
    """

    name: str
    before: str = ""
    after: str | None = None
    diagnostics: tuple[Diagnostic, ...] = ()
    is_lock: bool = False

    @property
    def is_change(self) -> bool:
        return self.after is not None and self.after != self.before

    def diff(self) -> list[str]:
        """Returns the lines of a unified diff, without their line breaks."""
        assert self.after is not None
        old, new = _split_lines(self.before), _split_lines(self.after)
        if max(len(old), len(new)) > _MAX_COMPARED_LINES:
            head = [f"--- {self.name}", f"+++ {self.name}", f"@@ -1,{len(old)} +1,{len(new)} @@"]
            diff = [*head, *(f"-{line}" for line in old), *(f"+{line}" for line in new)]
        else:
            diff = difflib.unified_diff(old, new, self.name, self.name, lineterm="")
        return [line for each in diff for line in each.split("\n")]


def _split_lines(text: str) -> list[str]:
    """Splits a text into lines for a diff, and marks a last line without a line feed."""
    lines = text.split("\n")
    last = lines.pop()
    return [*lines, f"{last}\n\\ No newline at end of file"] if last else lines


def rewrite(name: str, change: Change) -> Rewrite:
    """Applies ``change`` to the text of the file ``name`` or of standard input. Writes nothing."""
    if name == STANDARD_INPUT:
        source = decode_source(sys.stdin.buffer.read(MAX_BYTES + 1), "standard input")
    else:
        source = read_source(Path(name), name)
    if isinstance(source, Diagnostic):
        return Rewrite(name, diagnostics=(source,))
    root = parse(source).root if '"lock"' in source.text else None
    if name != STANDARD_INPUT and root is not None and is_lock(root.value):
        return Rewrite(name, source.text, source.text, is_lock=True)
    text = change(source)
    if isinstance(text, str):
        return Rewrite(name, source.text, text)
    return Rewrite(name, source.text, diagnostics=tuple(text))


def write(path: Path, text: str) -> None:
    """Replaces a document atomically. OSError if this fails or if the file is write-protected."""
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, "the file is write-protected", str(path))
    from netdesc.atomic_write import atomic_path

    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def write_changes(output: Output, rewrites: Iterable[Rewrite]) -> set[str]:
    """Writes the files that change. Prints an error for those that cannot be, and returns them."""
    failed: set[str] = set()
    for each in rewrites:
        if each.is_change and each.after is not None:
            try:
                write(Path(each.name), each.after)
            except OSError as problem:
                failed.add(each.name)
                output.error(f"error: {each.name}: {problem.strerror or problem}")
    return failed


def print_diffs(output: Output, rewrites: Iterable[Rewrite]) -> None:
    for each in rewrites:
        if not each.is_change:
            continue
        if output.has_colour(sys.stdout):
            output.print(*(colourise(line.expandtabs(4), True) for line in each.diff()))
        else:
            output.print_document("\n".join(each.diff()))


def finish(output: Output, rewrites: Sequence[Rewrite], mode: Mode) -> int:
    """Writes, prints or lists the results. Returns the exit code."""
    diagnostics = [diagnostic for each in rewrites for diagnostic in each.diagnostics]
    if diagnostics and not output.as_json:
        output.error(diagnostics_text.format_diagnostics(diagnostics, sys.stderr))
    failed = write_changes(output, rewrites) if mode == "write" else set[str]()
    if output.as_json:
        output.print_json(_record(rewrites, mode, failed) | to_json(diagnostics, len(rewrites)))
    else:
        _print(output, rewrites, mode, failed)
    if failed:
        return ENVIRONMENT
    would_change = mode in ("check", "diff") and any(each.is_change for each in rewrites)
    return diagnostics_text.exit_code(diagnostics) or (INVALID_INPUT if would_change else 0)


def _print(
    output: Output, rewrites: Sequence[Rewrite], mode: Mode, failed: Collection[str]
) -> None:
    for each in rewrites:
        if each.is_lock:
            output.info(f"{each.name} is the lock of a run and is not changed")
    if mode == "print":
        if isinstance(sys.stdout, io.TextIOWrapper):  # documents are always UTF-8
            sys.stdout.reconfigure(encoding="utf-8", newline="\n")
        for each in rewrites:
            if each.after is not None:
                output.print_document(each.after.removesuffix("\n"))
        return
    changed = [each for each in rewrites if each.is_change and each.name not in failed]
    if mode == "diff":
        print_diffs(output, changed)
    for each in changed:
        if mode == "check":
            output.print(each.name)
        elif mode == "write":
            output.info(f"wrote {each.name}")
    word = "changed" if mode == "write" else "would change"
    refused = sum(each.after is None for each in rewrites)
    end = f", {refused} refused" if refused else ""
    output.info(f"{amount(len(rewrites), 'file')}: {len(changed) or 'none'} {word}{end}")


def _record(rewrites: Sequence[Rewrite], mode: Mode, failed: Collection[str]) -> dict[str, Any]:
    return {
        "changed": sum(each.is_change for each in rewrites) - len(failed),
        "documents": [
            {
                "file": each.name,
                "status": "failed" if each.name in failed else _status(each, mode),
                **({"text": each.after} if mode == "print" else {}),
                **({"diff": each.diff()} if mode == "diff" and each.is_change else {}),
            }
            for each in rewrites
        ],
    }


def _status(each: Rewrite, mode: Mode) -> str:
    if each.after is None:
        return "refused"
    if each.is_lock:
        return "lock"
    if not each.is_change:
        return "unchanged"
    return "changed" if mode == "write" else "would change"
