"""Merge conflicts in a text, and what is left of them: one mistake for each, however it looks.

The markers of git stand in lines of their own. Of a whole conflict its first side is read on.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from netdesc.description.foreign import blank
from netdesc.description.nodes import Span
from netdesc.description.tokens import Elsewhere, Mistake

_MARKER = re.compile(r"^[ \t]*(<{7}|\|{7}|={7}|>{7})(?:[ \r][^\n]*)?$", re.MULTILINE)
_MOST = 20
"""So many conflicts are told."""
_WORDS = {
    "<": "one side begins here",
    "|": "what was before both begins here",
    "=": "the other side begins here",
    ">": "the conflict ends here",
}


@dataclass(slots=True)
class Conflicts:
    """``text`` without them, at its true places, and what is wrong.

    ``spans`` are where either side may be kept: what is wrong there may go with it.
    """

    text: str
    mistakes: list[Mistake] = field(default_factory=list[Mistake])
    spans: list[Span] = field(default_factory=list[Span])

    def hides(self, mistake: Mistake) -> bool:
        before = bisect.bisect_right(self.spans, mistake.start, key=lambda span: span[0])
        return before > 0 and mistake.start <= self.spans[before - 1][1]


def without_conflicts(text: str) -> Conflicts:
    """Leave out the markers of conflicts, and the sides that come second."""
    if not any(mark * 7 in text for mark in "<=>"):
        return Conflicts(text)
    mistakes: list[Mistake] = []
    spans: list[Span] = []
    parts: list[str] = []
    kept = 0
    groups = list(_groups(_MARKER.finditer(text)))
    for markers in groups:
        spans.append((markers[0].start(), markers[-1].end()))
        is_whole, is_second = _is_whole(markers), False
        for marker in markers:
            between = text[kept : marker.start()]
            parts += [blank(between) if is_second else between, blank(marker[0])]
            kept = marker.end()
            is_second = is_whole and marker[1][0] in "|="
    for markers in groups[:_MOST]:
        mistakes.append(_mistake(markers))
    if len(groups) > _MOST:
        more = f", and {len(groups) - _MOST:,} more"
        mistakes[-1] = replace(mistakes[-1], message=mistakes[-1].message + more)
    return Conflicts("".join([*parts, text[kept:]]), mistakes, spans)


def _groups(markers: Iterable[re.Match[str]]) -> Iterator[list[re.Match[str]]]:
    """The markers of each conflict; some of them may be missing."""
    group: list[re.Match[str]] = []
    for marker in markers:
        if group and (marker[1][0] == "<" or group[-1][1][0] == ">"):
            yield group
            group = []
        group.append(marker)
    if group:
        yield group


def _mistake(markers: list[re.Match[str]]) -> Mistake:
    first, *others = markers
    related = tuple(Elsewhere(*_span(each), _WORDS[each[1][0]]) for each in others)
    if _is_whole(markers):
        message = "a merge conflict that is not resolved"
        hint = "keep one side, and take the markers away"
    else:
        message, hint = "a marker that is left of a merge conflict", "take its line away"
        hint = hint if not others else "keep one side, and take the markers away"
    return Mistake("ND007", *_span(first), message, hint, None, related)


def _is_whole(markers: list[re.Match[str]]) -> bool:
    return (markers[0][1][0], markers[-1][1][0]) == ("<", ">")


def _span(marker: re.Match[str]) -> Span:
    return marker.start(1), marker.start() + len(marker[0].rstrip())
