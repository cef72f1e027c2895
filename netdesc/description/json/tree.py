"""Tree of a JSON document with the position of every value and key in the text."""

from __future__ import annotations

import bisect
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain
from typing import Any, cast

from netdesc.description.json_pointer import member, members

Span = tuple[int, int]
Parts = tuple[str | int, ...]

MAX_DEPTH = 64
"""Deepest allowed nesting of objects and lists. A valid document has at most eight levels."""

MAX_INTEGER = (1 << 63) - 1

_SPACE = re.compile(r"[ \t\r\n]*")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_SPAN_DECODER = json.JSONDecoder()


class ValidText:
    """Valid JSON text, whose offsets are the offsets in the file."""

    def __init__(self, text: str) -> None:
        self.text = text

    def span(self, start: int, end: int) -> Span:
        """Returns the span in the file of the value ``text[start:end]``."""
        return start, end


class RepairedText(ValidText):
    """JSON text joined from tokens, each with its span in the file."""

    def __init__(self, tokens: Sequence[tuple[str, int, int]]) -> None:
        """Joins tokens, each (text, start in the file, end in the file)."""
        super().__init__("".join(token[0] for token in tokens))
        self._tokens = tokens
        self._offsets = list(accumulate((len(token[0]) for token in tokens), initial=0))

    def span(self, start: int, end: int) -> Span:
        first = bisect.bisect_right(self._offsets, start) - 1
        last = bisect.bisect_left(self._offsets, end) - 1
        return self._tokens[first][1], self._tokens[last][2]


class Children(Mapping[str | int, "Node"]):
    """The nodes of the values in an object or list, by key or index.

    A node is made on first access, by reading the text up to its value. Most are never accessed.
    """

    __slots__ = ("_at", "_found", "_read_text", "_spans", "_unread", "_value")

    def __init__(
        self, value: dict[str | int, Any] | list[Any], text: ValidText, start: int
    ) -> None:
        self._value = value
        self._read_text = text
        self._found: dict[str | int, Node] = {}
        self._spans: dict[str, Span] = {}
        self._unread = iter(self)
        self._at = _after_space(text.text, start + 1)

    def __len__(self) -> int:
        return len(self._value)

    def __iter__(self) -> Iterator[str | int]:
        value = self._value
        return iter(value if isinstance(value, dict) else range(len(value)))

    def __contains__(self, part: object) -> bool:
        value = self._value
        if isinstance(value, dict):
            return part in value
        return isinstance(part, int) and 0 <= part < len(value)

    def __getitem__(self, part: str | int) -> Node:
        if part not in self:
            raise KeyError(part)
        while part not in self._found:
            self._read(next(self._unread))
        return self._found[part]

    def key_span(self, key: str) -> Span:
        """Returns the span of a key in the file. KeyError if the object does not have it."""
        self[key]
        return self._spans[key]

    def _read(self, part: str | int) -> None:
        """Reads the next value, whose key or index is ``part``, and adds its node to ``_found``."""
        text, at = self._read_text.text, self._at
        if isinstance(self._value, dict):
            _, end = _SPAN_DECODER.raw_decode(text, at)
            self._spans[str(part)] = self._read_text.span(at, end)
            at = _after_space(text, _after_space(text, end) + 1)
        _, end = _SPAN_DECODER.raw_decode(text, at)
        self._found[part] = Node.read(member(self._value, part), self._read_text, at, end)
        self._at = _after_space(text, _after_space(text, end) + 1)


class Keys(Mapping[str, Span]):
    """The spans of an object's keys."""

    __slots__ = ("_children",)

    def __init__(self, children: Children) -> None:
        self._children = children

    def __len__(self) -> int:
        return len(self._children)

    def __iter__(self) -> Iterator[str]:
        return map(str, self._children)

    def __contains__(self, key: object) -> bool:
        return key in self._children

    def __getitem__(self, key: str) -> Span:
        return self._children.key_span(key)


@dataclass(slots=True)
class Node:
    """A value, and its span ``start:end`` in the file."""

    start: int
    end: int
    value: Any
    children: Mapping[str | int, Node] = field(default_factory=dict[str | int, "Node"], repr=False)
    """The nodes of the values in an object or list, by key or index."""
    keys: Mapping[str, Span] = field(default_factory=dict[str, Span], repr=False)
    """The spans of an object's keys."""

    @classmethod
    def read(cls, value: Any, read_text: ValidText, start: int, end: int) -> Node:
        """Returns the node of the value ``read_text.text[start:end]``."""
        node = cls(*read_text.span(start, end), value)
        if isinstance(value, dict | list):
            held = cast("dict[str | int, Any] | list[Any]", value)
            node.children = children = Children(held, read_text, start)
            node.keys = Keys(children) if isinstance(value, dict) else {}
        return node

    def find(self, parts: Sequence[str | int]) -> Node | None:
        """Returns the node at a path, or ``None`` if the tree does not have it."""
        node: Node | None = self
        for part in parts:
            node = node.children.get(part) if node is not None else None
        return node


def read_valid(text: str) -> Node | None:
    """Returns the tree of a valid JSON text, or ``None`` if the text is not valid.

    A valid text is an object or list that the standard library parses. It has no duplicate keys,
    numbers of more than 64 bits, surrogate escapes, or more than ``MAX_DEPTH`` levels.
    """
    start = _after_space(text, 0)
    if text[start : start + 1] not in ("{", "[") or _SURROGATE.search(text):
        return None
    try:
        value, end = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None
    if _after_space(text, end) < len(text) or _is_too_deep(text, value):
        return None
    return Node.read(value, ValidText(text), start, end)


def _after_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    assert match is not None
    return match.end()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _integer(raw: str) -> int:
    if len(raw) > 20 or abs(number := int(raw)) > MAX_INTEGER:
        raise ValueError("an integer does not fit")
    return number


def _float(raw: str) -> float:
    number = float(raw)
    if not math.isfinite(number):
        raise ValueError("a number does not fit")
    return number


def _constant(raw: str) -> Any:
    raise ValueError(f"JSON has no {raw}")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant
)


def _is_too_deep(text: str, value: Any) -> bool:
    """Returns True if objects and lists are nested more than ``MAX_DEPTH`` levels deep."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        level = list(chain.from_iterable(members(each).values() for each in level))
        if not level:
            return False
    return any(isinstance(each, dict | list) for each in level)
