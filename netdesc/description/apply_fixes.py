"""What ``netdesc validate --fix`` makes of a text: all that is certain, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from netdesc.description.diagnostics.diagnostic import Diagnostic, Edit
from netdesc.description.load import check_text
from netdesc.description.source import Source

MAX_ROUNDS = 50
"""A fix may bring another diagnostic to light, such as the next missing comma."""
_MAX_SINGLE_FIXES = 20
"""So many fixes are tried one by one if all of them at once make nothing better."""


@dataclass(slots=True)
class FixResult:
    """A text before and after, what was fixed, and the diagnostics that are left."""

    before: Source
    after: Source
    fixed: list[Diagnostic] = field(default_factory=list[Diagnostic])
    left: list[Diagnostic] = field(default_factory=list[Diagnostic])


def apply_fixes(
    source: Source, path: Path, overrides: Sequence[str] = (), *, with_files: bool = True
) -> FixResult:
    """Applies fixes until no certain one is left. Nothing is written.

    Without ``with_files`` what is left is that of the document alone.
    """
    result = FixResult(source, source)
    for _ in range(MAX_ROUNDS):
        if not _run_round(result, path, overrides):
            break
    result.left = check_text(result.after, path, overrides, with_files=with_files)[1]
    return result


def _run_round(result: FixResult, path: Path, overrides: Sequence[str]) -> bool:
    """Applies all fixes that go together, or else one; False if nothing gets better."""
    before = check_text(result.after, path, overrides, with_files=False)[1]
    certain = [each for each in before if each.fix is not None]
    # Fixes of the text come first: what it hides is looked at when it is JSON.
    together = _select_disjoint([each for each in certain if _is_about_text(each)] or certain)
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
    """The text with edits that do not overlap."""
    for edit in sorted(edits, key=lambda each: (each.start, each.end), reverse=True):
        text = text[: edit.start] + edit.replacement + text[edit.end :]
    return text


def _select_disjoint(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Diagnostics whose edits do not touch those of another one before them."""
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
    """Whether there are fewer errors, or as many without those that were fixed.

    The number may stay: of very many diagnostics only the first ones are made.
    """
    was, now = _count_errors(*before), _count_errors(*after)
    if _is_about_text(group[0]):
        if now < was:
            return True
    elif now[::2] < was[::2]:
        return True
    left = {(each.code, each.pointer) for each in after[1]}
    are_gone = all(each.pointer and (each.code, each.pointer) not in left for each in group)
    return now[::2] <= was[::2] and are_gone


def _count_errors(source: Source, diagnostics: Sequence[Diagnostic]) -> tuple[int, int, int]:
    """Errors of the text, how many characters follow them in all, and other errors.

    Reading stops at some errors of the text, so that a fix may show the next one behind it.
    """
    errors = [each for each in diagnostics if each.is_error]
    of_text = [each for each in errors if _is_about_text(each)]
    behind = [
        len(source.text) - source.offset(each.line, each.column or 1) if each.line else 0
        for each in of_text
    ]
    return len(of_text), sum(behind), len(errors) - len(of_text)
