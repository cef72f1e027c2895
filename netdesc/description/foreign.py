"""Notations of other languages in a JSON text: each kind is one mistake, however often it is there.

Whoever pastes a dictionary of Python, an object of JavaScript or a page from a word processor makes
one mistake a hundred times.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field

from netdesc.description.diagnostic import Edit, Fix
from netdesc.description.tokens import Elsewhere, Mistake, cut

CONSTANTS = {
    **dict.fromkeys(("True", "TRUE"), "true"),
    **dict.fromkeys(("False", "FALSE"), "false"),
    **dict.fromkeys(("None", "Null", "NULL", "nil", "undefined"), "null"),
}
"""What other languages call the constants of JSON."""

_PYTHON = {"True", "False", "None"}


@dataclass(frozen=True, slots=True)
class _Found:
    start: int
    end: int
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class _Kind:
    code: str
    message: Callable[[str], str]
    hint: Callable[[str], str]
    many: str = ""
    """The hint where there is more than one."""
    title: str = ""


_KINDS = {
    "apostrophes": _Kind(
        "ND012",
        lambda _: "a string in apostrophes",
        lambda _: 'write it in double quotes: "…"',
        'write them in double quotes: "…"; in Python, json.dump does',
        "write strings in double quotes",
    ),
    "typographic": _Kind(
        "ND012",
        lambda _: "a string in typographic quotes",
        lambda _: 'write it in straight double quotes: "…"',
        'write them in straight double quotes: "…"',
        "write strings in straight double quotes",
    ),
    "backquotes": _Kind(
        "ND012",
        lambda _: "a string in backquotes",
        lambda _: 'write it in double quotes: "…"',
        'write them in double quotes: "…"',
        "write strings in double quotes",
    ),
    "names": _Kind(
        "ND007",
        lambda raw: f"{raw} without quotes",
        lambda raw: f'write "{raw}"',
        title="write names in double quotes",
    ),
    "constants": _Kind(
        "ND007",
        lambda raw: f"JSON has no {raw}",
        lambda raw: f"write {CONSTANTS[raw]}",
        "write true, false and null",
        "write true, false and null",
    ),
    "tuples": _Kind(
        "ND007",
        lambda _: "a list in parentheses",
        lambda _: "write it in brackets: […]",
        "write them in brackets: […]",
        "write lists in brackets",
    ),
    "comments": _Kind(
        "ND009",
        lambda _: "a comment",
        lambda _: 'JSON has no comments; a document has "description" for remarks',
    ),
    "spaces": _Kind(
        "ND007",
        lambda raw: f"{_name(raw)} outside of a string",
        lambda _: "write a plain space, or nothing",
        title="write plain spaces",
    ),
}


@dataclass(slots=True)
class Foreign:
    """What was found of each kind."""

    text: str
    found: dict[str, list[_Found]] = field(default_factory=dict[str, list[_Found]])

    def note(self, kind: str, start: int, end: int, *edits: tuple[int, int, str]) -> None:
        """Something at ``text[start:end]``; ``edits`` make JSON of it, where that is certain."""
        each = _Found(start, end, tuple(Edit(*each) for each in edits))
        self.found.setdefault(kind, []).append(each)

    def copy(self) -> Foreign:
        """What was found until now."""
        return Foreign(self.text, {kind: list(found) for kind, found in self.found.items()})

    def mistakes(self) -> list[Mistake]:
        """One mistake a kind, at its first place; all that is of Python is one."""
        kinds = dict(self.found)
        words = {self.text[each.start : each.end] for each in kinds.get("constants", ())}
        of_python = [name for name in ("apostrophes", "constants", "tuples") if name in kinds]
        told: list[Mistake] = []
        if len(of_python) > 1 and words <= _PYTHON:
            found = sorted(
                (each for name in of_python for each in kinds.pop(name)),
                key=lambda each: each.start,
            )
            message = f"Python's notation, not JSON, here and in {len(found) - 1} more places"
            hint = "in Python, json.dump writes JSON"
            fix = _fix("write it as JSON", found)
            at = (found[0].start, found[0].end)
            told.append(Mistake("ND007", *at, message, hint, fix, _others(found)))
        for name, found in kinds.items():
            kind, first = _KINDS[name], found[0]
            raw = cut(self.text[first.start : first.end])
            hint = kind.many if kind.many and len(found) > 1 else kind.hint(raw)
            message = kind.message(raw) + _and_more(found)
            fix = _fix(kind.title, found)
            at = (first.start, first.end)
            told.append(Mistake(kind.code, *at, message, hint, fix, _others(found)))
        return told


_MOST_PLACES = 100
"""So many places of a kind are listed beside the first one."""


def _others(found: list[_Found]) -> tuple[Elsewhere, ...]:
    return tuple(
        Elsewhere(each.start, each.end, "here, too") for each in found[1 : _MOST_PLACES + 1]
    )


def _and_more(found: list[_Found]) -> str:
    return f", and {len(found) - 1} more" if len(found) > 1 else ""


def _fix(title: str, found: list[_Found]) -> Fix | None:
    edits = tuple(edit for each in found for edit in each.edits)
    return Fix(title, edits) if edits else None


def _name(character: str) -> str:
    return f"U+{ord(character):04X} ({unicodedata.name(character, 'a control character').lower()})"


def is_blank(character: str) -> bool:
    """True for a character that looks like nothing: a space of another kind, a control."""
    return not character.isprintable() or character.isspace()


def requoted(raw: str) -> str | None:
    """A string of another notation as JSON writes it, if that is certain."""

    def escaped(match: re.Match[str]) -> str:
        return {"\\'": "'", '"': '\\"'}.get(match[0], match[0])

    written = '"' + re.sub(r'\\.|"', escaped, raw[1:-1]) + '"'
    try:
        json.loads(written).encode()
    except ValueError:  # an escape that JSON does not have, half a character
        return None
    return written


def without_fences(text: str) -> tuple[str, list[Mistake]]:
    """The text without the lines by which Markdown tells code; and the mistake that they are."""
    first = re.compile(r"\s*(```[^\n`]*)(?=\n)").match(text)
    if first is None:
        return text, []
    start, end = first.span(1)
    edits, last = [Edit(start, end, "")], len(text.rstrip())
    parts = blank(text[:end]), text[end:last], text[last:]
    if text.endswith("\n```", 0, last):
        edits.append(Edit(last - 3, last, ""))
        parts = blank(text[:end]), text[end : last - 3], "   " + text[last:]
    hint = "take its lines away"
    mistake = Mistake(
        "ND007", start, end, "a code fence of Markdown", hint, Fix(hint, tuple(edits))
    )
    return "".join(parts), [mistake]


def blank(text: str) -> str:
    """Spaces in the place of a text, which keep the places of what follows."""
    return re.sub(r"[^\n]", " ", text)
