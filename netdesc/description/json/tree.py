"""Tree of a JSON document with the position of every value and key in the text."""

import json
import re
from collections.abc import Collection, Iterator, Sequence
from itertools import chain
from typing import Any, cast

from netdesc.description.json.literals import STRING_ERROR, fits_64_bits
from netdesc.description.json_pointer import ABSENT, member, members

Span = tuple[int, int]
Parts = tuple[str | int, ...]

MAX_DEPTH = 64
"""Deepest allowed nesting of objects and lists. A valid document has at most eight levels."""

_SPACE = re.compile(r"[ \t\r\n]*")
_SPAN_DECODER = json.JSONDecoder()


class Node:
    """A value, and its span ``start:end`` in the file.

    The nodes of the values in an object or list are made on first access, by reading the text up to
    them. Most are never accessed.
    """

    __slots__ = ("_at", "_key_spans", "_nodes", "_text", "_unread", "end", "start", "value")

    def __init__(self, value: Any, text: str, start: int, end: int) -> None:
        """Makes the node of the value ``text[start:end]``."""
        self.value = value
        self.start, self.end = start, end
        self._text = text
        self._nodes: dict[str | int, Node] = {}
        self._key_spans: dict[str, Span] = {}
        self._unread: Iterator[str | int] = iter(_parts(value))
        self._at = _after_space(text, start + 1)

    @property
    def is_filled(self) -> bool:
        """True for an object or list that is not empty."""
        return bool(_parts(self.value))

    def find(self, parts: Sequence[str | int]) -> "Node | None":
        """Returns the node at a path, or ``None`` if the tree does not have it."""
        node = self
        for part in parts:
            if member(node.value, part, ABSENT) is ABSENT:
                return None
            while part not in node._nodes:
                node._read_next()
            node = node._nodes[part]
        return node

    def key_span(self, key: str | int) -> Span | None:
        """Returns the span of a key; ``None`` if this is no object that has it."""
        if not isinstance(self.value, dict) or self.find((key,)) is None:
            return None
        return self._key_spans[str(key)]

    def _read_next(self) -> None:
        part, text, at = next(self._unread), self._text, self._at
        if isinstance(part, str):
            _, end = _SPAN_DECODER.raw_decode(text, at)
            self._key_spans[part] = (at, end)
            at = _after_space(text, _after_space(text, end) + 1)
        _, end = _SPAN_DECODER.raw_decode(text, at)
        self._nodes[part] = Node(member(self.value, part), text, at, end)
        self._at = _after_space(text, _after_space(text, end) + 1)


def _parts(value: Any) -> Collection[str | int]:
    """Returns the keys of an object, or the indices of a list, without a copy."""
    if isinstance(value, dict):
        return cast("dict[str | int, Any]", value)
    return range(len(cast("list[Any]", value))) if isinstance(value, list) else ()


def read_valid(text: str) -> Node | None:
    """Returns the tree of a valid JSON text, or ``None`` if the text is not valid.

    A valid text is an object or list that the standard library parses. It has no duplicate keys,
    numbers of more than 64 bits, halves of surrogate pairs, or more than ``MAX_DEPTH`` levels.
    """
    start = _after_space(text, 0)
    if text[start : start + 1] not in ("{", "["):
        return None
    try:
        value, end = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None
    if _after_space(text, end) < len(text) or _is_too_deep(text, value):
        return None
    if "\\u" in text and any(match["half"] for match in STRING_ERROR.finditer(text)):
        return None
    return Node(value, text, start, end)


def _after_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    assert match is not None
    return match.end()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) != len(pairs):
        raise ValueError("a key occurs twice")
    return entries


def _number(raw: str) -> float:
    if not fits_64_bits(raw):
        raise ValueError("a number does not fit")
    return float(raw) if any(mark in raw for mark in ".eE") else int(raw)


def _constant(raw: str) -> Any:
    raise ValueError(f"JSON has no {raw}")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_number, parse_float=_number, parse_constant=_constant
)


def _is_too_deep(text: str, value: Any) -> bool:
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        level = list(chain.from_iterable(members(each).values() for each in level))
        if not level:
            return False
    return any(isinstance(each, dict | list) for each in level)
