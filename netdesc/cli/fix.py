"""Applies unambiguous fixes for ``netdesc validate --fix``, or shows them for ``--diff``."""

import difflib
import errno
import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from netdesc.cli import ENVIRONMENT
from netdesc.cli.output import Output
from netdesc.description import Diagnostic
from netdesc.description.diagnostics.diagnostic import Edit
from netdesc.description.diagnostics.wording import place, visible
from netdesc.description.load import check_text
from netdesc.description.source import Source, read_source

MAX_ROUNDS = 50
"""Largest number of rounds. A fix may reveal another error, such as the next comma too many."""


@dataclass(slots=True)
class FixResult:
    """A text before and after the fixes, and the fixed diagnostics."""

    before: Source
    after: Source
    fixed: list[Diagnostic] = field(default_factory=list[Diagnostic])


def fix_files(
    output: Output, files: Sequence[Path], *, is_diff: bool, as_text: bool
) -> tuple[dict[str, Any], int]:
    """Applies the fixes to the files and prints a line for each fix.

    If ``is_diff`` is true, prints the changes as a diff instead, and writes nothing. If ``as_text``
    is false, the lines go to standard error, and a diff is not printed. Returns additional keys for
    JSON, and an exit code, which is 0 unless a file cannot be written.
    """
    results: dict[Path, FixResult] = {}
    for file in files:
        source = read_source(file, str(file))
        if not isinstance(source, Diagnostic):
            results[file] = apply_fixes(source, file)
    results = {file: result for file, result in results.items() if result.fixed}
    if is_diff:
        lines = [line for file, result in results.items() for line in _diff(str(file), result)]
        if as_text and lines:
            output.print_document("\n".join(lines))
        count = sum(len(result.fixed) for result in results.values())
        output.info(f"{count or 'nothing'} would be fixed with --fix")
        return {"diff": lines}, 0
    failed = False
    fixed: list[Diagnostic] = []
    for file, result in results.items():
        try:
            _write(file, result.after.text)
        except OSError as problem:
            failed = True
            output.error(f"error: {file}: {problem.strerror or problem}")
        else:
            fixed += result.fixed
    for diagnostic in fixed:
        line = f"{place(diagnostic, diagnostic.file)}: fixed[{diagnostic.code}]: "
        (output.print if as_text else output.info)(visible(line + _title(diagnostic)))
    if not fixed and not failed:
        output.info("nothing to fix")
    names = ("code", "file", "line")
    rows = [{name: getattr(one, name) for name in names} | {"title": _title(one)} for one in fixed]
    return {"fixed": rows}, ENVIRONMENT if failed else 0


def apply_fixes(source: Source, path: Path) -> FixResult:
    """Applies the fixes that do not overlap and checks again, until nothing changes.

    ``path`` is the file that contains the text. Writes no file.
    """
    result = FixResult(source, source)
    seen = {source.text}
    for _ in range(MAX_ROUNDS):
        diagnostics = check_text(result.after, path)[1]
        fixed = _select_disjoint(diagnostics)
        edits = [edit for diagnostic in fixed for edit in _edits(diagnostic)]
        text = result.after.text
        for edit in sorted(edits, key=lambda edit: (edit.start, edit.end), reverse=True):
            text = text[: edit.start] + edit.replacement + text[edit.end :]
        if text in seen:
            break
        seen.add(text)
        result.after = Source(text, source.name)
        result.fixed += fixed
    return result


def _edits(diagnostic: Diagnostic) -> tuple[Edit, ...]:
    return () if diagnostic.fix is None else diagnostic.fix.edits


def _select_disjoint(diagnostics: list[Diagnostic]) -> list[Diagnostic]:
    """Returns the diagnostics with edits, without those whose edits touch an earlier edit."""
    taken: list[Edit] = []
    selected: list[Diagnostic] = []
    for diagnostic in diagnostics:
        edits = _edits(diagnostic)
        pairs = itertools.product(edits, taken)
        overlaps = any(a.start <= b.end and b.start <= a.end for a, b in pairs)
        if edits and not overlaps:
            taken += edits
            selected.append(diagnostic)
    return selected


def _title(diagnostic: Diagnostic) -> str:
    assert diagnostic.fix is not None
    return diagnostic.fix.title


def _write(path: Path, text: str) -> None:
    """Replaces a document atomically. OSError if this fails or if the file is write-protected."""
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, "the file is write-protected", str(path))
    from netdesc.atomic_write import atomic_path

    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def _diff(name: str, result: FixResult) -> list[str]:
    old, new = (_split_lines(source.text) for source in (result.before, result.after))
    lines = difflib.unified_diff(old, new, name, name, lineterm="")
    return [part for line in lines for part in line.split("\n")]


def _split_lines(text: str) -> list[str]:
    """Splits a text into lines for a diff, and marks a last line without a line feed."""
    lines = text.split("\n")
    last = lines.pop()
    return [*lines, f"{last}\n\\ No newline at end of file"] if last else lines
