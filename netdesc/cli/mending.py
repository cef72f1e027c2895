"""``netdesc validate --fix`` and ``--diff``: write what is certain to be meant, or show it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netdesc.cli.diff_colour import colourise_diff
from netdesc.cli.output import Output

if TYPE_CHECKING:
    from netdesc.description import Diagnostic
    from netdesc.rewriting import Rewriting


@dataclass(slots=True)
class Mending:
    """What was mended, what is left, and what is shown of it."""

    left: list[Diagnostic] = field(default_factory=list["Diagnostic"])
    fixed: list[Diagnostic] = field(default_factory=list["Diagnostic"])
    changes: list[Rewriting] = field(default_factory=list["Rewriting"])
    failed: list[OSError] = field(default_factory=list[OSError])
    """Why files could not be written."""
    beyond: list[Diagnostic] = field(default_factory=list["Diagnostic"])
    """What --fix would leave, where it only shows what it would do."""

    def record(self, is_diff: bool) -> dict[str, Any]:
        """For ``--format json``, beside the findings."""
        if is_diff:
            return {"diff": [line for change in self.changes for line in change.diff()]}
        fixed = [
            {"code": each.code, "file": each.file, "line": each.line, "title": _title(each)}
            for each in self.fixed
        ]
        return {"fixed": fixed}


def mend(
    files: Sequence[Path], overrides: Sequence[str], *, is_diff: bool, with_files: bool = True
) -> Mending:
    """Fix the files, one after another. With ``is_diff`` nothing is written, and all is left."""
    from netdesc.description import Diagnostic
    from netdesc.description.fixing import fixed
    from netdesc.description.load import check_text
    from netdesc.description.source import read_source
    from netdesc.rewriting import Rewriting, write

    result = Mending()
    for file in files:
        source = read_source(file, str(file))
        if isinstance(source, Diagnostic):
            result.left.append(source)
            continue
        done = fixed(source, file, overrides, with_files=with_files)
        is_change = done.after.text != source.text
        if is_change and not is_diff:
            try:
                write(file, done.after.text)
            except OSError as problem:  # the other files are mended all the same
                result.failed.append(problem)
                result.left += check_text(source, file, overrides, with_files=with_files)[1]
                continue
        result.fixed += done.fixed
        if is_change:
            result.changes.append(Rewriting(str(file), source.text, done.after.text))
        if is_diff:
            result.beyond += done.left
            result.left += check_text(source, file, overrides, with_files=with_files)[1]
        else:
            result.left += done.left
    return result


def tell(output: Output, mending: Mending, *, is_diff: bool, for_people: bool) -> None:
    """Say what was fixed, or show what would be; standard output is for results only."""
    from netdesc.description.wording import is_complete, kinds, place, visible

    count = len(mending.fixed)
    if is_diff:
        if for_people:
            for change in mending.changes:
                output.say("\n".join(colourise_diff(change.diff(), output.has_colour(sys.stdout))))
        left = ""
        if mending.beyond:
            left = f"; {' and '.join(kinds(mending.beyond))} would be left, shown without --diff"
        output.note(f"{count or 'nothing'} would be fixed with --fix{left}")
        return
    for each in mending.fixed:
        line = visible(f"{place(each, each.file)}: fixed[{each.code}]: {_title(each)}")
        (output.say if for_people else output.note)(line)
    more = sum(each.fix is not None for each in mending.left)
    for problem in mending.failed:
        output.complain(not_written(problem))
    if mending.failed:
        return
    if not count:
        output.note("nothing to fix")
    elif more:
        bound = "" if is_complete(mending.left) else "at least "
        output.note(f"{count:,} were fixed, and {bound}{more:,} more can be: run it again")


def not_written(problem: OSError) -> str:
    return f"error: {problem.filename}: {problem.strerror or problem}"


def _title(finding: Diagnostic) -> str:
    assert finding.fix is not None
    return finding.fix.title
