"""Applies unambiguous fixes for ``netdesc validate --fix``, or shows them for ``--diff``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from netdesc.cli.exit_codes import ENVIRONMENT
from netdesc.cli.output import Output
from netdesc.cli.rewrite import Rewrite, print_diffs, write_changes
from netdesc.description import Diagnostic
from netdesc.description.apply_fixes import FixResult, apply_fixes
from netdesc.description.diagnostics.wording import kinds, place, visible
from netdesc.description.load import CheckFiles, check_text
from netdesc.description.source import read_source


def fix_files(
    output: Output,
    files: Sequence[Path],
    overrides: Sequence[str],
    *,
    is_diff: bool,
    check_files: CheckFiles | None,
    as_text: bool,
) -> tuple[list[Diagnostic], dict[str, Any], int]:
    """Applies the fixes to the files and prints a line for each fix.

    If ``is_diff`` is true, prints the changes as a diff instead, and writes nothing. If
    ``check_files`` is None, data files are not checked. If ``as_text`` is false, the lines go to
    standard error, and a diff is not printed. Returns the diagnostics of the files after the fixes,
    additional keys for JSON, and an exit code, which is 0 unless a file cannot be written.
    """
    fixings: dict[Path, FixResult] = {}
    remaining: dict[Path, list[Diagnostic]] = {}
    for file in files:
        source = read_source(file, str(file))
        if isinstance(source, Diagnostic):
            remaining[file] = [source]
            continue
        fixings[file] = apply_fixes(source, file, overrides, check_files=check_files)
        remaining[file] = fixings[file].left
    not_fixable = [diagnostic for file in fixings for diagnostic in remaining[file]]
    rewrites = [
        Rewrite(str(file), each.before.text, each.after.text) for file, each in fixings.items()
    ]
    failed = set[str]() if is_diff else write_changes(output, rewrites)
    applied: list[Diagnostic] = []
    for file, each in fixings.items():
        if is_diff or str(file) in failed:
            remaining[file] = check_text(each.before, file, overrides, check_files=check_files)[1]
        applied += each.fixed if str(file) not in failed else []
    diagnostics = [diagnostic for each in remaining.values() for diagnostic in each]
    if is_diff:
        diff = [line for each in rewrites if each.is_change for line in each.diff()]
        if as_text:
            print_diffs(output, rewrites)
        more = f"; {' and '.join(kinds(not_fixable))} would remain" if not_fixable else ""
        output.info(f"{len(applied) or 'nothing'} would be fixed with --fix{more}")
        return diagnostics, {"diff": diff}, 0
    for each in applied:
        line = visible(f"{place(each, each.file)}: fixed[{each.code}]: {_title(each)}")
        (output.print if as_text else output.info)(line)
    if not applied and not failed:
        output.info("nothing to fix")
    record = [
        {"code": each.code, "file": each.file, "line": each.line, "title": _title(each)}
        for each in applied
    ]
    return diagnostics, {"fixed": record}, ENVIRONMENT if failed else 0


def _title(diagnostic: Diagnostic) -> str:
    assert diagnostic.fix is not None
    return diagnostic.fix.title
