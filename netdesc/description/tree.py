"""JSON text as a tree in which every value and every key knows its place."""

from __future__ import annotations

from dataclasses import dataclass, field

from netdesc.description.conflicts import without_conflicts
from netdesc.description.foreign import without_fences
from netdesc.description.nodes import Node, Parts, Span, sound
from netdesc.description.source import Source
from netdesc.description.syntax import Reader
from netdesc.description.tokens import MAX_DEPTH, MAX_INTEGER, Mistake, edit, token_at

__all__ = ["MAX_INTEGER", "Node", "Parsed", "Parts", "Span", "parse"]


@dataclass(slots=True)
class Parsed:
    """A text and what was found in it. ``root`` is ``None`` where the text is too broken."""

    root: Node | None
    mistakes: list[Mistake]
    guessed: set[int]
    """Where values start of which nobody knows what they say."""
    doubtful: list[Parts] = field(default_factory=list[Parts])
    """Paths of these, and of objects and lists in which something may be lost."""


def parse(source: Source) -> Parsed:
    """Parse a whole document, strictly; every mistake is named, none raises."""
    text, mistakes = source.with_line_feeds, list[Mistake]()
    if text.startswith("\ufeff"):
        message = "the file starts with a byte order mark"
        fix = edit("take it away", (0, 1, ""))
        mistakes.append(Mistake("ND004", 0, 1, message, "save without BOM", fix))
        text = " " + text[1:]
    conflicts = without_conflicts(text)
    text, fences = without_fences(conflicts.text)
    mistakes += conflicts.mistakes + fences
    root = sound(text, token_at(text, 0).start, MAX_DEPTH)
    if isinstance(root, Node) and token_at(text, root.end).kind == "end":
        return Parsed(root, mistakes, set())
    reader = Reader(text)
    damaged = reader.read()
    mistakes += [each for each in reader.mistakes if not conflicts.hides(each)]
    mistakes.sort(key=lambda each: each.start)
    return Parsed(damaged, mistakes, reader.guessed, reader.doubtful)
