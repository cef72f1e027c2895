"""What ``netdesc validate --fix`` makes of a text: all that is certain, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from netdesc.description.diagnostic import Diagnostic, Edit
from netdesc.description.load import check_text
from netdesc.description.source import Source

ROUNDS = 50
"""Mending one mistake may bring another to light, such as the next missing comma."""
_SINGLY = 20
"""So many fixes are tried one by one where all of them at once make nothing better."""


@dataclass(slots=True)
class Fixing:
    """A text before and after, what was mended, and what is wrong with it still."""

    before: Source
    after: Source
    fixed: list[Diagnostic] = field(default_factory=list[Diagnostic])
    left: list[Diagnostic] = field(default_factory=list[Diagnostic])


def fixed(
    source: Source, path: Path, overrides: Sequence[str] = (), *, with_files: bool = True
) -> Fixing:
    """Mend what can be, until nothing certain is left. Nothing is written.

    Without ``with_files`` what is left is that of the document alone.
    """
    result = Fixing(source, source)
    for _ in range(ROUNDS):
        if not _round(result, path, overrides):
            break
    result.left = check_text(result.after, path, overrides, with_files=with_files)[1]
    return result


def applied(text: str, edits: Iterable[Edit]) -> str:
    """The text with edits in it that do not overlap."""
    parts: list[str] = []
    end = 0
    for edit in sorted(edits, key=lambda each: (each.start, each.end)):
        assert edit.start >= end, "edits overlap"
        parts += [text[end : edit.start], edit.replacement]
        end = edit.end
    return "".join([*parts, text[end:]])


def _round(result: Fixing, path: Path, overrides: Sequence[str]) -> bool:
    """One step nearer to a sound document; False where there is none."""

    def check(source: Source) -> list[Diagnostic]:
        return check_text(source, path, overrides, with_files=False)[1]

    before = check(result.after)
    certain = [each for each in before if each.fix is not None]
    # The text comes first: what it hides is looked at when it is JSON.
    chosen = [each for each in certain if _is_about_text(each)] or certain
    together = list(_disjoint(chosen))
    if not together:
        return False
    for group in (together, *([each] for each in together[:_SINGLY])):
        edits = [edit for each in group if each.fix is not None for edit in each.fix.edits]
        source = Source(applied(result.after.text, edits), result.after.name)
        after = check(source)
        now, earlier = _faults(source, after), _faults(result.after, before)
        better = now < earlier if _is_about_text(group[0]) else now[::2] < earlier[::2]
        if better or (now[::2] <= earlier[::2] and _are_gone(group, after)):
            result.after = source
            result.fixed += group
            return True
    return False


def _are_gone(group: Iterable[Diagnostic], after: Iterable[Diagnostic]) -> bool:
    """Whether none of these findings is among those of the text that was mended.

    Their number may stay the same: of very many findings only the first ones are made.
    """
    left = {(each.code, each.pointer) for each in after}
    return all(each.pointer and (each.code, each.pointer) not in left for each in group)


def _disjoint(findings: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
    """Findings whose edits do not touch those of another one before them."""
    taken: list[Edit] = []
    for finding in findings:
        assert finding.fix is not None
        edits = finding.fix.edits
        if not any(_touch(one, other) for one in edits for other in taken):
            taken += edits
            yield finding


def _touch(one: Edit, other: Edit) -> bool:
    return one.start <= other.end and other.start <= one.end


def _is_about_text(finding: Diagnostic) -> bool:
    return finding.code < "ND1"


def _faults(source: Source, findings: Sequence[Diagnostic]) -> tuple[int, int, int]:
    """How bad a document is: mistakes in its text, how much is behind them, and other errors.

    Reading stops at some mistakes, so that mending one of them may show the next.
    """
    errors = [each for each in findings if each.is_error]
    of_text = [each for each in errors if _is_about_text(each)]
    behind = [
        len(source.text) - source.offset(each.line, each.column or 1) if each.line else 0
        for each in of_text
    ]
    return len(of_text), sum(behind), len(errors) - len(of_text)
