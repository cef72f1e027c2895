"""A JSON document as a tree in which every value and every key knows its place in the text."""

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
"""Deepest nesting of objects and lists. A description needs eight levels."""

MAX_INTEGER = (1 << 63) - 1

_SPACE = re.compile(r"[ \t\r\n]*")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_PLACES = json.JSONDecoder()


class SoundText:
    """JSON text without faults that stands in the file as it is."""

    def __init__(self, text: str) -> None:
        self.text = text

    def span(self, start: int, end: int) -> Span:
        """Where the value ``text[start:end]`` stands in the file."""
        return start, end


class RepairedText(SoundText):
    """JSON text that was put together of tokens, each of which has a place in the file."""

    def __init__(self, tokens: Sequence[tuple[str, int, int]]) -> None:
        """``tokens`` are texts, each with where it starts and ends in the file."""
        super().__init__("".join(token[0] for token in tokens))
        self._tokens = tokens
        self._offsets = list(accumulate((len(token[0]) for token in tokens), initial=0))

    def span(self, start: int, end: int) -> Span:
        first = bisect.bisect_right(self._offsets, start) - 1
        last = bisect.bisect_left(self._offsets, end) - 1
        return self._tokens[first][1], self._tokens[last][2]


class Children(Mapping[str | int, "Node"]):
    """The values that a value holds, found when one of them is asked for.

    The text is read up to that one only: of a million values the first ones are pointed at.
    """

    __slots__ = ("_at", "_found", "_read_text", "_spans", "_unread", "_value")

    def __init__(
        self, value: dict[str | int, Any] | list[Any], text: SoundText, start: int
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

    def place_of_key(self, key: str) -> Span:
        """Where in the file a key stands."""
        self[key]
        return self._spans[key]

    def _read(self, part: str | int) -> None:
        """Find the next value, which stands in the text where the one before ended."""
        text, at = self._read_text.text, self._at
        if isinstance(self._value, dict):
            _, end = _PLACES.raw_decode(text, at)
            self._spans[str(part)] = self._read_text.span(at, end)
            at = _after_space(text, _after_space(text, end) + 1)
        _, end = _PLACES.raw_decode(text, at)
        self._found[part] = Node.read(member(self._value, part), self._read_text, at, end)
        self._at = _after_space(text, _after_space(text, end) + 1)


class Keys(Mapping[str, Span]):
    """Where the keys of an object stand."""

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
        return self._children.place_of_key(key)


@dataclass(slots=True)
class Node:
    """A value that stands in the file from ``start`` to ``end``."""

    start: int
    end: int
    value: Any
    children: Mapping[str | int, Node] = field(default_factory=dict[str | int, "Node"], repr=False)
    """The values in it, by key or index."""
    keys: Mapping[str, Span] = field(default_factory=dict[str, Span], repr=False)
    """Where the keys of an object stand."""

    @classmethod
    def read(cls, value: Any, read_text: SoundText, start: int, end: int) -> Node:
        """The value that ``read_text.text[start:end]`` says."""
        node = cls(*read_text.span(start, end), value)
        if isinstance(value, dict | list):
            held = cast("dict[str | int, Any] | list[Any]", value)
            node.children = children = Children(held, read_text, start)
            node.keys = Keys(children) if isinstance(value, dict) else {}
        return node

    def find(self, parts: Sequence[str | int]) -> Node | None:
        """The value at a path, if the text has it."""
        node: Node | None = self
        for part in parts:
            node = node.children.get(part) if node is not None else None
        return node


def read_sound(text: str) -> Node | None:
    """The tree of a text that is sound JSON, else ``None``.

    Sound is an object or a list that the standard library reads, without keys that occur twice,
    numbers that do not fit, halves of characters, and nesting of more than ``MAX_DEPTH`` levels.
    """
    start = _after_space(text, 0)
    if text[start : start + 1] not in ("{", "[") or _SURROGATE.search(text):
        return None
    try:
        value, end = _SOUND.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None
    if _after_space(text, end) < len(text) or _is_too_deep(text, value):
        return None
    return Node.read(value, SoundText(text), start, end)


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


_SOUND = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant
)


def _is_too_deep(text: str, value: Any) -> bool:
    """True where objects and lists are nested in more than ``MAX_DEPTH`` levels."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        level = list(chain.from_iterable(members(each).values() for each in level))
        if not level:
            return False
    return any(isinstance(each, dict | list) for each in level)
