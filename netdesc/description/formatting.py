"""The canonical layout of JSON text: ``netdesc format``.

Only white space between tokens changes, so that every value keeps its spelling and its place among
its neighbours. What fits on one line stands on one; the other objects and lists, and the document
itself, have one entry a line.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from netdesc.description.diagnostic import Diagnostic
from netdesc.description.places import of_text
from netdesc.description.source import Source
from netdesc.description.tree import Node, parse

WIDTH = 100
"""Characters of the longest line that holds an object or a list."""
INDENT = "  "

_HARMLESS = {"ND004"}
"""Mistakes in the text that the layout mends for certain: it has no byte order mark."""


@dataclass(frozen=True, slots=True)
class Block:
    """An object or a list: its brackets, and its entries, each behind its key with a colon."""

    brackets: str
    entries: list[tuple[str, Piece]]


Piece = str | Block
"""Text of a value that holds no other, as it is to be written, or a block of them."""


def formatted(source: Source) -> str | list[Diagnostic]:
    """The text in the canonical layout, or all mistakes for which it is no JSON."""
    root = sound_tree(source)
    return layout(_piece(root, source.text)) if isinstance(root, Node) else root


def document_text(data: Any) -> str:
    """Plain data as a document in the canonical layout."""
    text = formatted(Source(json.dumps(data, ensure_ascii=False, allow_nan=False), "document"))
    assert isinstance(text, str), "what json wrote is JSON"
    return text


def sound_tree(source: Source) -> Node | list[Diagnostic]:
    """The tree of a text, or all mistakes for which it is no JSON."""
    parsed = parse(source)
    mistakes = [each for each in parsed.mistakes if each.code not in _HARMLESS]
    if mistakes:
        return [of_text(source, each) for each in mistakes]
    assert parsed.root is not None, "a text without mistakes has a tree"
    return parsed.root


def _piece(node: Node, text: str) -> Piece:
    if text[node.start] == "{":
        return Block("{}", [(f"{text[slice(*node.keys[str(key)])]}: ", _piece(child, text))
                            for key, child in node.children.items()])  # fmt: skip
    if text[node.start] == "[":
        return Block("[]", [("", _piece(child, text)) for child in node.children.values()])
    return text[node.start : node.end]


def layout(piece: Piece) -> str:
    """The text of a whole document, with the line break at its end."""
    lines: list[str] = []
    if isinstance(piece, Block) and piece.entries:
        _break(piece, "", "", "", lines)
    else:
        _lay(piece, "", "", "", lines)
    return "\n".join(lines) + "\n"


def _lay(piece: Piece, indent: str, before: str, after: str, lines: list[str]) -> None:
    """Adds the lines of a value between what stands ``before`` and ``after`` it."""
    room = WIDTH - len(indent) - len(before) - len(after)
    line = piece if isinstance(piece, str) else _on_one_line(piece, room)
    if line is not None:
        lines.append(f"{indent}{before}{line}{after}")
    else:
        assert isinstance(piece, Block)
        _break(piece, indent, before, after, lines)


def _break(block: Block, indent: str, before: str, after: str, lines: list[str]) -> None:
    lines.append(f"{indent}{before}{block.brackets[0]}")
    for number, (key, inner) in enumerate(block.entries, 1):
        comma = "," if number < len(block.entries) else ""
        _lay(inner, indent + INDENT, key, comma, lines)
    lines.append(f"{indent}{block.brackets[1]}{after}")


def _on_one_line(piece: Piece, room: int) -> str | None:
    """The text of a value if it needs at most ``room`` characters; looks at no more than these."""
    if isinstance(piece, str):
        return piece if len(piece) <= room else None
    used, parts = 2, list[str]()
    for key, inner in piece.entries:
        used += len(key) + (2 if parts else 0)
        text = _on_one_line(inner, room - used)
        if text is None:
            return None
        used += len(text)
        parts.append(key + text)
    opening, closing = piece.brackets
    return f"{opening}{', '.join(parts)}{closing}" if used <= room else None
