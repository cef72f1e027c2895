"""Values with their places in a text, and the quick way to read what is sound."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, cast

from netdesc.description.plain import members
from netdesc.description.tokens import MAX_INTEGER

Span = tuple[int, int]
Parts = tuple[str | int, ...]

_SPACE = re.compile(r"[ \t\r\n]*")
_COMMA = re.compile(r'[ \t\r\n]*,[ \t\r\n]*(?=["{\[0-9tfn-])')
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


@dataclass(slots=True)
class Node:
    """A value at ``text[start:end]``.

    ``children`` by key or index and ``keys``, where keys stand, are found in ``text`` when one asks
    for them: most documents are sound, and most of their values are never pointed at.
    """

    start: int
    end: int
    value: Any
    text: str = field(default="", repr=False)
    """The whole text, if the value is JSON; the children are known already if it is not."""
    _children: dict[str | int, Node] | None = None
    _keys: dict[str, Span] = field(default_factory=dict[str, Span])

    @property
    def children(self) -> dict[str | int, Node]:
        if self._children is None:
            self._children = {}
            if self.text and self.value and isinstance(self.value, dict | list):
                self._look()
        return self._children

    @property
    def keys(self) -> dict[str, Span]:
        return self._keys if self.children else {}

    def find(self, parts: Sequence[str | int]) -> Node | None:
        """The value at a path, if the text has it."""
        node: Node | None = self
        for part in parts:
            node = node.children.get(part) if node is not None else None
        return node

    def add(self, key: str, span: Span, child: Node) -> None:
        """A member of an object that is read by hand."""
        self._keys[key] = span
        self.children[key] = child
        self.value[key] = child.value

    def append(self, child: Node) -> None:
        """An item of a list that is read by hand."""
        self.children[len(self.value)] = child
        self.value.append(child.value)

    def _look(self) -> None:
        """Find the children of a sound object or list that is not empty."""
        text, at = self.text, _after_space(self.text, self.start + 1)
        is_object = isinstance(self.value, dict)
        children = self.children
        for index in range(len(cast("dict[str, Any] | list[Any]", self.value))):
            part: str | int = index
            if is_object:
                key, end = _PLACES.raw_decode(text, at)
                part = str(key)
                self._keys[part] = (at, end)
                at = _after_space(text, _after_space(text, end) + 1)
            _, end = _PLACES.raw_decode(text, at)
            children[part] = Node(at, end, self.value[part], text)
            at = _after_space(text, _after_space(text, end) + 1)


def _after_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    assert match is not None
    return match.end()


class _NotSound(ValueError):
    """JSON that the standard library takes and netdesc does not."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _NotSound
    return found


def _integer(raw: str) -> int:
    if len(raw) > 20 or abs(number := int(raw)) > MAX_INTEGER:
        raise _NotSound
    return number


def _float(raw: str) -> float:
    number = float(raw)
    if not math.isfinite(number):
        raise _NotSound
    return number


def _constant(raw: str) -> Any:
    raise _NotSound


_PLACES = json.JSONDecoder()
_SOUND = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant
)


def sound(text: str, at: int, room: int) -> Node | int:
    """The value that begins at an offset if it is sound JSON, else how far reading came.

    Sound is what the standard library reads, without keys that occur twice, numbers that do not
    fit, halves of characters, and nesting of more than ``room`` levels.
    """
    try:
        value, end = _SOUND.raw_decode(text, at)
    except json.JSONDecodeError as problem:
        return problem.pos
    except (_NotSound, RecursionError):
        return len(text)
    if _SURROGATE.search(text, at, end) or _is_deeper(text, at, end, value, room):
        return end
    return Node(at, end, value, text)


def sound_items(text: str, at: int, room: int) -> Iterator[tuple[Node, int]]:
    """The sound items of a list from an offset on, each with where the next one begins."""
    while isinstance(node := sound(text, at, room), Node):
        comma = _COMMA.match(text, node.end)
        if comma is None:
            return
        at = comma.end()
        yield node, at


def _is_deeper(text: str, start: int, end: int, value: Any, room: int) -> bool:
    """True where objects and lists are nested in more than so many levels."""
    if text.count("[", start, end) + text.count("{", start, end) <= room:
        return False
    level: list[Any] = [value]
    for _ in range(room):
        holders = [each for each in level if type(each) in (dict, list)]
        if not holders:
            return False
        level = list(chain.from_iterable(members(each).values() for each in holders))
    return any(type(each) in (dict, list) for each in level)
