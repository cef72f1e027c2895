"""JSON text as a tree in which every value and every key knows its place."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import tree_sitter
import tree_sitter_json

from netdesc.description.source import Source
from netdesc.description.syntax import first_break
from netdesc.description.tokens import MAX_MISTAKES, Mistake, Scan, scan

MAX_INTEGER = (1 << 63) - 1

Span = tuple[int, int]
Parts = tuple[str | int, ...]


@dataclass(slots=True)
class Node:
    """A value at ``text[start:end]``; ``children`` by key or index, ``keys`` where keys stand."""

    start: int
    end: int
    value: Any
    children: dict[str | int, Node] = field(default_factory=dict[str | int, "Node"])
    keys: dict[str, Span] = field(default_factory=dict[str, Span])

    def find(self, parts: Sequence[str | int]) -> Node | None:
        """The value at a path, if the text has it."""
        node: Node | None = self
        for part in parts:
            node = node.children.get(part) if node is not None else None
        return node


@dataclass(slots=True)
class Parsed:
    """A text and what was found in it. ``root`` is ``None`` where the text is too broken."""

    root: Node | None
    mistakes: list[Mistake]
    guessed: set[int]


def parse(source: Source) -> Parsed:
    """Parse a whole document, strictly; every mistake is named, none raises."""
    text = source.text
    if text.startswith("\ufeff"):
        bom = Mistake("ND004", 0, 1, "the file starts with a byte order mark", "save without BOM")
        rest = Source(" " + text[1:], source.name)
        parsed = parse(rest)
        return Parsed(parsed.root, [bom, *parsed.mistakes], parsed.guessed)
    scanned = scan(text)
    if scanned.broken_at is not None:
        return Parsed(None, _with_break(scanned, text), set())
    tree = _parser().parse(scanned.standin.encode("ascii"))
    values = tree.root_node.named_children
    if tree.root_node.has_error or len(values) != 1:
        return Parsed(None, _with_break(scanned, text), set())
    builder = _Builder(source, scanned)
    return Parsed(builder.build(values[0]), scanned.mistakes, scanned.guessed)


def _parser() -> tree_sitter.Parser:
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_json.language()))


def _with_break(scanned: Scan, text: str) -> list[Mistake]:
    """The mistakes in tokens, and the first break in structure before any of unclear meaning."""
    end = scanned.broken_at
    tokens = [token for token in scanned.tokens if end is None or token.end <= end]
    found = first_break(tokens, text, is_whole=end is None)
    if found is None and not scanned.mistakes:
        found = Mistake("ND007", 0, min(1, len(text)), "the text is not JSON")
    return scanned.mistakes if found is None else [*scanned.mistakes, found]


class _Builder:
    """Turns the syntax tree into nodes; depth is bounded by the scan."""

    def __init__(self, source: Source, scanned: Scan) -> None:
        self.source = source
        self.scanned = scanned

    def build(self, syntax: tree_sitter.Node) -> Node:
        node = Node(syntax.start_byte, syntax.end_byte, None)
        if syntax.type == "object":
            node.value = {}
            for pair in syntax.named_children:
                self._member(node, pair)
        elif syntax.type == "array":
            children = [self.build(item) for item in syntax.named_children]
            node.children.update(enumerate(children))
            node.value = [child.value for child in children]
        else:
            node.value = self._scalar(syntax)
        return node

    def _member(self, node: Node, pair: tree_sitter.Node) -> None:
        key_syntax, value_syntax = (
            pair.child_by_field_name("key"),
            pair.child_by_field_name("value"),
        )
        assert key_syntax is not None
        assert value_syntax is not None
        key = str(self._scalar(key_syntax))
        span = (key_syntax.start_byte, key_syntax.end_byte)
        child = self.build(value_syntax)
        if key in node.keys and len(self.scanned.mistakes) > MAX_MISTAKES:
            return
        if key in node.keys:
            line, _ = self.source.place(node.keys[key][0])
            message = f"the key {json.dumps(key, ensure_ascii=False)} occurs twice in one object"
            self.scanned.mistakes.append(Mistake("ND011", *span, message, f"first in line {line}"))
            return
        node.keys[key] = span
        node.children[key] = child
        node.value[key] = child.value

    def _scalar(self, syntax: tree_sitter.Node) -> Any:
        start, end = syntax.start_byte, syntax.end_byte
        if start in self.scanned.guessed:
            return 0 if syntax.type == "number" else ""
        raw = self.source.text[start:end]
        if syntax.type == "string":
            return raw[1:-1] if raw[0] == "'" else json.loads(raw)
        if syntax.type == "number":
            return self._number(raw, start, end)
        return {"true": True, "false": False, "null": None}[syntax.type]

    def _number(self, raw: str, start: int, end: int) -> int | float:
        is_integer = not any(mark in raw for mark in ".eE")
        if is_integer and len(raw) <= 20 and abs(int(raw)) <= MAX_INTEGER:
            return int(raw)
        number = math.inf if is_integer else float(raw)
        if math.isfinite(number):
            return number
        kind = "an integer of 64 bits" if is_integer else "a 64-bit float"
        message = f"the number does not fit into {kind}"
        self.scanned.mistakes.append(Mistake("ND014", start, end, message))
        self.scanned.guessed.add(start)
        return 0
