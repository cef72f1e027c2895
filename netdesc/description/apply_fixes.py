"""Applies the unambiguous fixes of all diagnostics to a text: ``netdesc validate --fix``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from netdesc.description.diagnostics.diagnostic import Diagnostic, Edit
from netdesc.description.load import CheckFiles, check_text
from netdesc.description.source import Source

MAX_ROUNDS = 50
"""Largest number of rounds. A fix may reveal another error, such as the next missing comma."""
_MAX_SINGLE_FIXES = 20
"""Largest number of fixes that are tried one by one, if all fixes together do not help."""


@dataclass(slots=True)
class FixResult:
    """A text before and after the fixes, the fixed diagnostics, and the remaining diagnostics."""

    before: Source
    after: Source
    fixed: list[Diagnostic] = field(default_factory=list[Diagnostic])
    left: list[Diagnostic] = field(default_factory=list[Diagnostic])


def apply_fixes(
    source: Source,
    path: Path,
    overrides: Sequence[str] = (),
    *,
    check_files: CheckFiles | None = None,
) -> FixResult:
    """Applies fixes to a text in rounds, until a round brings no improvement. Writes no file.

    ``path`` is the file that contains the text, ``overrides`` are ``--set`` arguments. A check
    with ``check_files`` finds the remaining diagnostics.
    """
    result = FixResult(source, source)
    for _ in range(MAX_ROUNDS):
        if not _run_round(result, path, overrides):
            break
    result.left = check_text(result.after, path, overrides, check_files=check_files)[1]
    return result


def _run_round(result: FixResult, path: Path, overrides: Sequence[str]) -> bool:
    """Tries the fixes together, then one by one. Returns True if ``result`` got a better text."""
    before = check_text(result.after, path, overrides)[1]
    fixable = [each for each in before if each.fix is not None]
    # JSON errors come first: other errors are complete only when the text is valid JSON.
    together = _select_disjoint([each for each in fixable if _is_about_text(each)] or fixable)
    for group in (together, *([each] for each in together[:_MAX_SINGLE_FIXES])):
        text = _apply(result.after.text, [edit for each in group for edit in _edits(each)])
        source = Source(text, result.after.name)
        after = check_text(source, path, overrides)[1]
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
    """Returns the diagnostics in their order. Drops each whose edits touch an earlier edit."""
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
    """Returns True if the text after the fixes of ``group`` is better: if it has fewer errors.

    It is also better if its JSON errors come later, or if the errors of ``group`` are gone and
    other errors took their place: of a text with very many errors, only the first are reported.
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
    """Returns three numbers: the JSON errors, the characters after them, and the other errors.

    The characters are summed over all JSON errors. They measure progress: the reader stops at some
    errors, so a fix may reveal another error, but one with less text after it.
    """
    errors = [each for each in diagnostics if each.is_error]
    of_text = [each for each in errors if _is_about_text(each)]
    remaining = [
        len(source.text) - source.offset(each.line, each.column or 1) if each.line else 0
        for each in of_text
    ]
    return len(of_text), sum(remaining), len(errors) - len(of_text)
