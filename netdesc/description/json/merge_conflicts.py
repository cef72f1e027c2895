"""Finds the conflict markers of git in a text, and reports each conflict once.

If a conflict has its first and its last marker, the reader uses the first side. Otherwise it only
removes the markers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from netdesc.description.json.collector import SecondarySpan, TextDiagnostic
from netdesc.description.json.tree import Span

_MARKER = re.compile(r"^[ \t]*(<{7}|\|{7}|={7}|>{7})(?:[ \r][^\n]*)?$", re.MULTILINE)
_MAX_REPORTED = 20


def find_conflicts(text: str) -> tuple[str, list[TextDiagnostic], list[Span]]:
    """Replaces conflict markers and second sides by spaces.

    Returns the text, diagnostics of the first conflicts, and the spans of all conflicts. Do not
    report errors within these spans, because they may disappear when the conflict is resolved.
    """
    if not any(mark * 7 in text for mark in "<=>"):
        return text, [], []
    conflicts = list(_conflicts(text))
    parts: list[str] = []
    end = 0
    for markers in conflicts:
        is_whole = (markers[0][1][0], markers[-1][1][0]) == ("<", ">")
        is_second = False
        for marker in markers:
            section = text[end : marker.start()]
            parts += [blank(section) if is_second else section, blank(marker[0])]
            end = marker.end()
            is_second = is_whole and marker[1][0] in "|="
    spans = [(markers[0].start(), markers[-1].end()) for markers in conflicts]
    found = [_diagnostic(markers) for markers in conflicts[:_MAX_REPORTED]]
    return "".join([*parts, text[end:]]), found, spans


def _conflicts(text: str) -> Iterator[list[re.Match[str]]]:
    """Yields the markers of each conflict."""
    group: list[re.Match[str]] = []
    for marker in _MARKER.finditer(text):
        if group and (marker[1][0] == "<" or group[-1][1][0] == ">"):
            yield group
            group = []
        group.append(marker)
    if group:
        yield group


def _diagnostic(markers: list[re.Match[str]]) -> TextDiagnostic:
    spans = [(each.start(1), each.start() + len(each[0].rstrip())) for each in markers]
    message = "a merge conflict that is not resolved"
    hint = "keep one side, and remove the markers"
    related = tuple(SecondarySpan(*span, "a marker of this conflict") for span in spans[1:])
    return TextDiagnostic("ND007", *spans[0], message, hint, None, related)


def blank(text: str) -> str:
    """Replaces all characters except line feeds by spaces, so that offsets stay the same."""
    return re.sub(r"[^\n]", " ", text)
