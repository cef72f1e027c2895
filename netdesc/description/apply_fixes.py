"""Applies the certain fixes of all diagnostics to a text: ``netdesc validate --fix``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from netdesc.description.diagnostics.diagnostic import Diagnostic, Edit
from netdesc.description.load import check_text
from netdesc.description.source import Source

MAX_ROUNDS = 50
"""Largest number of rounds. A fix may reveal another error, such as the next missing comma."""
_MAX_SINGLE_FIXES = 20
"""Number of fixes that are tried one by one if all of them together give no improvement."""


@dataclass(slots=True)
class FixResult:
    """A text before and after the fixes, the diagnostics that were fixed, and those left."""

    before: Source
    after: Source
    fixed: list[Diagnostic] = field(default_factory=list[Diagnostic])
    left: list[Diagnostic] = field(default_factory=list[Diagnostic])


def apply_fixes(
    source: Source, path: Path, overrides: Sequence[str] = (), *, with_files: bool = True
) -> FixResult:
    """Applies certain fixes to a text in rounds, until no round improves it. Writes no file.

    ``path`` is the file of the text, ``overrides`` are ``--set`` arguments. The remaining
    diagnostics come from a full check; ``with_files=False`` leaves the data files out of it.
    """
    result = FixResult(source, source)
    for _ in range(MAX_ROUNDS):
        if not _run_round(result, path, overrides):
            break
    result.left = check_text(result.after, path, overrides, with_files=with_files)[1]
    return result


def _run_round(result: FixResult, path: Path, overrides: Sequence[str]) -> bool:
    """Applies all fixes that do not overlap, or else a single one. False if nothing improves."""
    before = check_text(result.after, path, overrides, with_files=False)[1]
    fixable = [each for each in before if each.fix is not None]
    # JSON errors come first: other errors are complete only when the text is valid JSON.
    together = _select_disjoint([each for each in fixable if _is_about_text(each)] or fixable)
    for group in (together, *([each] for each in together[:_MAX_SINGLE_FIXES])):
        text = _apply(result.after.text, [edit for each in group for edit in _edits(each)])
        source = Source(text, result.after.name)
        after = check_text(source, path, overrides, with_files=False)[1]
        if group and _is_better((result.after, before), (source, after), group):
            result.after = source
            result.fixed += group
            return True
    return False


def _edits(diagnostic: Diagnostic) -> tuple[Edit, ...]:
    return diagnostic.fix.edits if diagnostic.fix is not None else ()


def _apply(text: str, edits: Iterable[Edit]) -> str:
    """Applies edits to a text. They must not overlap."""
    for edit in sorted(edits, key=lambda each: (each.start, each.end), reverse=True):
        text = text[: edit.start] + edit.replacement + text[edit.end :]
    return text


def _select_disjoint(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Selects diagnostics in order, skipping those whose edits touch edits selected before."""
    taken: list[Edit] = []
    selected: list[Diagnostic] = []
    for each in diagnostics:
        edits = _edits(each)
        if not any(
            one.start <= other.end and other.start <= one.end for one in edits for other in taken
        ):
            taken += edits
            selected.append(each)
    return selected


def _is_about_text(diagnostic: Diagnostic) -> bool:
    return diagnostic.code < "ND1"


Checked = tuple[Source, Sequence[Diagnostic]]


def _is_better(before: Checked, after: Checked, group: Sequence[Diagnostic]) -> bool:
    """Returns True if the fixes of ``group`` reduced the errors of a text.

    The number of errors must fall, or stay while the fixed errors disappear. It may stay because
    only the first of very many errors are reported.
    """
    old, new = _count_errors(*before), _count_errors(*after)
    if _is_about_text(group[0]):
        if new < old:
            return True
    elif new[::2] < old[::2]:
        return True
    left = {(each.code, each.pointer) for each in after[1]}
    are_gone = all(each.pointer and (each.code, each.pointer) not in left for each in group)
    return new[::2] <= old[::2] and are_gone


def _count_errors(source: Source, diagnostics: Sequence[Diagnostic]) -> tuple[int, int, int]:
    """Counts JSON errors, the characters that follow each of them (summed up), and other errors.

    The characters measure progress: the reader stops at some JSON errors, so that a fix may reveal
    another error, but later in the text.
    """
    errors = [each for each in diagnostics if each.is_error]
    of_text = [each for each in errors if _is_about_text(each)]
    remaining = [
        len(source.text) - source.offset(each.line, each.column or 1) if each.line else 0
        for each in of_text
    ]
    return len(of_text), sum(remaining), len(errors) - len(of_text)
