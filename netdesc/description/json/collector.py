"""Collects the diagnostics of a text while it is read. Their places are offsets in the text.

A notation is a spelling of another language, such as a string in apostrophes. A Python dictionary
that was pasted as JSON has the same notation in a hundred places, so they give one diagnostic.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from netdesc.description.diagnostics.diagnostic import Edit, Fix
from netdesc.description.json.tree import Parts, Span

MAX_DIAGNOSTICS = 200
"""Reading stops after this many diagnostics: the file is probably not a description."""
_MAX_RELATED = 100
"""Largest number of places of a notation that are listed after the first one."""

_NOTATIONS = {
    # kind: code, message, hint
    "apostrophes": ("ND012", "a string in apostrophes", "write double quotes, as json.dump does"),
    "typographic": ("ND012", "a string in typographic quotes", "write straight double quotes"),
    "names": ("ND007", "{raw} without quotes", 'write "{raw}"'),
    "constants": ("ND007", "JSON has no {raw}", "write true, false and null"),
    "tuples": ("ND007", "a list in parentheses", "write lists in brackets: […]"),
    "comments": ("ND009", "a comment", 'JSON has no comments; put remarks into "description"'),
    "spaces": ("ND007", "{character} outside of a string", "write a plain space, or nothing"),
}


class Unrecoverable(Exception):
    """The rest of the text cannot be read reliably."""


class SecondarySpan(NamedTuple):
    """A related place in the text that explains a diagnostic."""

    start: int
    end: int
    message: str


class TextDiagnostic(NamedTuple):
    """A JSON error at ``text[start:end]``."""

    code: str
    start: int
    end: int
    message: str
    hint: str = ""
    fix: Fix | None = None
    related: tuple[SecondarySpan, ...] = ()


class _Notation(NamedTuple):
    """A place with another language's notation.

    ``edits`` (start, end, replacement) convert it to JSON; empty if its meaning is not certain.
    """

    span: Span
    edits: tuple[tuple[int, int, str], ...]


class Collector:
    """Collects the diagnostics of a text while it is read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.found: list[TextDiagnostic] = []
        self.guessed: dict[int, Parts] = {}
        """Maps the offset of each unreadable value to its path. ``null`` replaces such values."""
        self.is_lossy = False
        """True if a part of the text was dropped, so that the document cannot be checked."""
        self._notations: dict[str, list[_Notation]] = {}

    def add(self, diagnostic: TextDiagnostic) -> None:
        """Records a diagnostic. Raises Unrecoverable after ``MAX_DIAGNOSTICS`` of them."""
        self.found.append(diagnostic)
        if len(self.found) == MAX_DIAGNOSTICS:
            message = f"more than {MAX_DIAGNOSTICS} errors; the rest of the file was not read"
            self.found.append(TextDiagnostic("ND007", diagnostic.end, diagnostic.end, message))
            raise Unrecoverable

    def add_notation(self, kind: str, span: Span, *edits: tuple[int, int, str]) -> None:
        """Records a place with a notation of another language.

        ``kind`` is a key of ``_NOTATIONS``. ``edits`` (start, end, replacement) convert it to JSON.
        """
        self._notations.setdefault(kind, []).append(_Notation(span, edits))

    def diagnostics(self) -> list[TextDiagnostic]:
        """Returns all diagnostics in the order of the text."""
        return sorted([*self.found, *self._notation_diagnostics()], key=lambda each: each.start)

    def _notation_diagnostics(self) -> Iterator[TextDiagnostic]:
        """Yields one diagnostic for each kind of notation, with all its places."""
        for kind, places in self._notations.items():
            places.sort()
            code, message, hint = _NOTATIONS[kind]
            raw = self.text[slice(*places[0].span)]
            more = f", and {len(places) - 1} more" if len(places) > 1 else ""
            message = message.format(raw=cut(raw), character=f"U+{ord(raw[:1] or chr(0)):04X}")
            yield _summarise(code, message + more, hint.format(raw=cut(raw)), places)


def _summarise(code: str, message: str, hint: str, places: list[_Notation]) -> TextDiagnostic:
    edits = [each for place in places for each in place.edits]
    fix = edit(hint, *edits) if edits else None
    related = (SecondarySpan(*each.span, "here, too") for each in places[1 : _MAX_RELATED + 1])
    return TextDiagnostic(code, *places[0].span, message, hint, fix, tuple(related))


def edit(title: str, *edits: tuple[int, int, str]) -> Fix:
    """Returns a fix with these edits, each (start, end, replacement)."""
    return Fix(title, tuple(Edit(*each) for each in edits))


def cut(text: str) -> str:
    """Shortens a text to 40 characters for a message."""
    return text if len(text) <= 40 else text[:39] + "…"


def show(text: str) -> str:
    """Shortens a text for a message, and puts quotes around it unless it starts with a quote."""
    return cut(text) if text[:1] in ('"', "'") else f'"{cut(text)}"'
