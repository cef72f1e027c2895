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


Replacement = tuple[int, int, str]
"""(start, end, text): an edit of the file."""


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


class Collector:
    """Collects the diagnostics of a text while it is read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.found: list[TextDiagnostic] = []
        self.guessed: dict[int, Parts] = {}
        """Maps the offset of each unreadable value to its path. ``null`` replaces such values."""
        self.is_lossy = False
        """True if a part of the text was dropped, so that the document cannot be checked."""
        self._notations: dict[str, list[tuple[Span, tuple[Replacement, ...]]]] = {}

    def add(self, diagnostic: TextDiagnostic) -> None:
        """Records a diagnostic. Raises Unrecoverable after ``MAX_DIAGNOSTICS`` of them."""
        self.found.append(diagnostic)
        if len(self.found) == MAX_DIAGNOSTICS:
            message = f"more than {MAX_DIAGNOSTICS} errors; the rest of the file was not read"
            self.found.append(TextDiagnostic("ND007", diagnostic.end, diagnostic.end, message))
            raise Unrecoverable

    def add_notation(self, kind: str, span: Span, *edits: Replacement) -> None:
        """Records a place with a notation of another language, a key of ``_NOTATIONS``.

        ``edits`` convert it to JSON. There are none if its meaning is not certain.
        """
        self._notations.setdefault(kind, []).append((span, edits))

    def diagnostics(self) -> list[TextDiagnostic]:
        """Returns all diagnostics in the order of the text."""
        return sorted([*self.found, *self._notation_diagnostics()], key=lambda each: each.start)

    def _notation_diagnostics(self) -> Iterator[TextDiagnostic]:
        """Yields one diagnostic for each kind of notation, with all its places."""
        for kind, places in self._notations.items():
            places.sort()
            code, message, hint = _NOTATIONS[kind]
            (first, _), *others = places
            raw = self.text[slice(*first)]
            message = message.format(raw=cut(raw), character=f"U+{ord(raw[:1] or chr(0)):04X}")
            message += f", and {len(others)} more" if others else ""
            hint = hint.format(raw=cut(raw))
            edits = [each for _, of_place in places for each in of_place]
            fix = edit(hint, *edits) if edits else None
            related = [SecondarySpan(*span, "here, too") for span, _ in others[:_MAX_RELATED]]
            yield TextDiagnostic(code, *first, message, hint, fix, tuple(related))


def edit(title: str, *edits: Replacement) -> Fix:
    """Returns a fix with these edits."""
    return Fix(title, tuple(Edit(*each) for each in edits))


def cut(text: str) -> str:
    """Shortens a text to 40 characters for a message."""
    return text if len(text) <= 40 else text[:39] + "…"


def show(text: str) -> str:
    """Shortens a text for a message, and puts quotes around it unless it starts with a quote."""
    return cut(text) if text[:1] in ('"', "'") else f'"{cut(text)}"'
