"""``netdesc validate --fix`` and ``--diff``: write what is certain to be meant, or show it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from netdesc.cli.exit_codes import ENVIRONMENT
from netdesc.cli.output import Output
from netdesc.cli.rewrite import Rewrite, print_diffs, write_changes
from netdesc.description import Diagnostic
from netdesc.description.apply_fixes import FixResult, apply_fixes
from netdesc.description.diagnostics.wording import is_complete, kinds, place, visible
from netdesc.description.load import check_text
from netdesc.description.source import read_source


class Outcome(NamedTuple):
    """The diagnostics that files have now, more for ``--format json``, and an exit code or 0."""

    left: list[Diagnostic]
    record: dict[str, Any]
    exit_code: int


def fix(
    output: Output,
    files: Sequence[Path],
    overrides: Sequence[str],
    *,
    is_diff: bool,
    with_files: bool,
    for_people: bool,
) -> Outcome:
    """Fixes the files and says so. With ``is_diff`` it shows the changes and writes nothing."""
    fixings: dict[Path, FixResult] = {}
    left: dict[Path, list[Diagnostic]] = {}
    for file in files:
        source = read_source(file, str(file))
        if isinstance(source, Diagnostic):
            left[file] = [source]
            continue
        fixings[file] = apply_fixes(source, file, overrides, with_files=with_files)
        left[file] = fixings[file].left
    beyond = [diagnostic for file in fixings for diagnostic in left[file]]
    rewrites = [
        Rewrite(str(file), each.before.text, each.after.text) for file, each in fixings.items()
    ]
    failed = set[str]() if is_diff else write_changes(output, rewrites)
    done: list[Diagnostic] = []
    for file, each in fixings.items():
        if is_diff or str(file) in failed:
            left[file] = check_text(each.before, file, overrides, with_files=with_files)[1]
        done += each.fixed if str(file) not in failed else []
    found = [diagnostic for each in left.values() for diagnostic in each]
    if is_diff:
        diff = [line for each in rewrites if each.is_change for line in each.diff()]
        if for_people:
            print_diffs(output, rewrites)
        more = (
            f"; {' and '.join(kinds(beyond))} would be left, shown without --diff" if beyond else ""
        )
        output.note(f"{len(done) or 'nothing'} would be fixed with --fix{more}")
        return Outcome(found, {"diff": diff}, 0)
    for each in done:
        line = visible(f"{place(each, each.file)}: fixed[{each.code}]: {_title(each)}")
        (output.say if for_people else output.note)(line)
    if not failed:
        _note_rest(output, len(done), found)
    record = [
        {"code": each.code, "file": each.file, "line": each.line, "title": _title(each)}
        for each in done
    ]
    return Outcome(found, {"fixed": record}, ENVIRONMENT if failed else 0)


def _note_rest(output: Output, count: int, left: Sequence[Diagnostic]) -> None:
    more = sum(each.fix is not None for each in left)
    if not count:
        output.note("nothing to fix")
    elif more:
        bound = "" if is_complete(left) else "at least "
        output.note(f"{count:,} were fixed, and {bound}{more:,} more can be: run it again")


def _title(diagnostic: Diagnostic) -> str:
    assert diagnostic.fix is not None
    return diagnostic.fix.title
