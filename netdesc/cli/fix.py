"""Applies unambiguous fixes for ``netdesc validate --fix``, or shows them for ``--diff``."""

import difflib
import errno
import itertools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from netdesc.atomic_write import atomic_path
from netdesc.cli import ENVIRONMENT
from netdesc.cli.output import Output
from netdesc.description import Diagnostic
from netdesc.description.diagnostics.diagnostic import Edit
from netdesc.description.diagnostics.wording import place, visible
from netdesc.description.load import check_text
from netdesc.description.source import Source, read_source

MAX_ROUNDS = 50
"""Largest number of rounds. A fix may reveal another error, such as the next comma too many."""


def fix_files(
    output: Output, files: Sequence[Path], *, is_diff: bool, as_text: bool
) -> tuple[dict[str, Any], int]:
    """Applies the fixes to the files and prints a line for each fix.

    If ``is_diff`` is true, prints the changes as a diff instead, and writes nothing. If ``as_text``
    is false, the lines go to standard error, and a diff is not printed. Returns additional keys for
    JSON, and an exit code, which is 0 unless a file cannot be written.
    """
    diff: list[str] = []
    fixed: list[Diagnostic] = []
    failed = False
    for file in dict.fromkeys(files):
        source = read_source(file, str(file))
        if isinstance(source, Diagnostic):
            continue
        text, mended = apply_fixes(source, file)
        if is_diff:
            diff += _diff(str(file), source.text, text)
        elif mended:
            try:
                if not os.access(file, os.W_OK):
                    raise PermissionError(errno.EACCES, "the file is write-protected", str(file))
                with atomic_path(file) as temporary:
                    temporary.write_text(text, encoding="utf-8", newline="")
            except OSError as problem:
                failed, mended = True, []
                output.error(f"error: {file}: {problem.strerror or problem}")
        fixed += mended
    if is_diff:
        if as_text and diff:
            output.print_document("\n".join(diff))
        output.info(f"{len(fixed) or 'nothing'} would be fixed with --fix")
        return {"diff": diff}, 0
    for diagnostic in fixed:
        line = f"{place(diagnostic, diagnostic.file)}: fixed[{diagnostic.code}]: "
        (output.print if as_text else output.info)(visible(line + _title(diagnostic)))
    if not fixed and not failed:
        output.info("nothing to fix")
    names = ("code", "file", "line")
    rows = [{name: getattr(one, name) for name in names} | {"title": _title(one)} for one in fixed]
    return {"fixed": rows}, ENVIRONMENT if failed else 0


def apply_fixes(source: Source, path: Path) -> tuple[str, list[Diagnostic]]:
    """Applies the fixes that do not overlap and checks again, until nothing changes.

    ``path`` is the file that contains the text. Returns the text, and the diagnostics of all fixes.
    """
    text, fixed, texts = source.text, list[Diagnostic](), {source.text}
    for _ in range(MAX_ROUNDS):
        selected = _select_disjoint(check_text(Source(text, source.name), path)[1])
        edits = [edit for diagnostic in selected for edit in _edits(diagnostic)]
        after = text
        for edit in sorted(edits, key=lambda edit: (edit.start, edit.end), reverse=True):
            after = after[: edit.start] + edit.replacement + after[edit.end :]
        if after in texts:
            break
        texts.add(after)
        text = after
        fixed += selected
    return text, fixed


def _edits(diagnostic: Diagnostic) -> Sequence[Edit]:
    return () if diagnostic.fix is None else diagnostic.fix.edits


def _select_disjoint(diagnostics: list[Diagnostic]) -> list[Diagnostic]:
    """Returns the diagnostics with edits, without those whose edits touch an earlier edit."""
    selected_edits: list[Edit] = []
    selected: list[Diagnostic] = []
    for diagnostic in diagnostics:
        edits = _edits(diagnostic)
        pairs = itertools.product(edits, selected_edits)
        overlaps = any(a.start <= b.end and b.start <= a.end for a, b in pairs)
        if edits and not overlaps:
            selected_edits += edits
            selected.append(diagnostic)
    return selected


def _title(diagnostic: Diagnostic) -> str:
    assert diagnostic.fix is not None
    return diagnostic.fix.title


def _diff(name: str, before: str, after: str) -> list[str]:
    old, new = _split_lines(before), _split_lines(after)
    lines = difflib.unified_diff(old, new, name, name, lineterm="")
    return [part for line in lines for part in line.split("\n")]


def _split_lines(text: str) -> list[str]:
    """Splits a text into lines for a diff, and marks a last line without a line feed."""
    lines = text.split("\n")
    last = lines.pop()
    return [*lines, f"{last}\n\\ No newline at end of file"] if last else lines
