"""Values with their places in a text, and the quick way to read what is sound."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from netdesc.description.plain import members
from netdesc.description.tokens import MAX_INTEGER

Span = tuple[int, int]
Parts = tuple[str | int, ...]

_SPACE = re.compile(r"[ \t\r\n]*")
_COMMA = re.compile(r'[ \t\r\n]*,[ \t\r\n]*(?=["{\[0-9tfn-])')
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class Children(Mapping[str | int, "Node"]):
    """The values that a sound value holds, found when one of them is asked for."""

    __slots__ = ("_found", "_keys", "_node")

    def __init__(self, node: Node) -> None:
        self._node = node
        self._found: dict[str | int, Node] | None = None
        self._keys: dict[str, Span] = {}

    def __len__(self) -> int:
        return len(members(self._node.value))

    def __iter__(self) -> Iterator[str | int]:
        return iter(members(self._node.value))

    def __getitem__(self, part: str | int) -> Node:
        return self._all()[part]

    def keys_of_text(self) -> dict[str, Span]:
        """Where in the text the keys stand."""
        self._all()
        return self._keys

    def _all(self) -> dict[str | int, Node]:
        if self._found is None:
            self._found = {}
            if self:
                self._look(self._found)
        return self._found

    def _look(self, found: dict[str | int, Node]) -> None:
        node = self._node
        text, at = node.text, _after_space(node.text, node.start + 1)
        is_object = isinstance(node.value, dict)
        for part in members(node.value):
            if is_object:
                _, end = _PLACES.raw_decode(text, at)
                self._keys[str(part)] = (at, end)
                at = _after_space(text, _after_space(text, end) + 1)
            _, end = _PLACES.raw_decode(text, at)
            found[part] = Node(at, end, node.value[part], text)
            at = _after_space(text, _after_space(text, end) + 1)


@dataclass(slots=True)
class Node:
    """A value at ``text[start:end]``, with ``children`` by key or index.

    In a sound value they are found when one asks for them: most documents are sound, and most of
    their values are never pointed at. ``text`` is the whole text then.
    """

    start: int
    end: int
    value: Any
    text: str = field(default="", repr=False)
    _children: Mapping[str | int, Node] | None = field(default=None, repr=False)
    _keys: dict[str, Span] | None = field(default=None, repr=False)

    @classmethod
    def of(
        cls, span: Span, value: Any, children: Mapping[str | int, Node], keys: dict[str, Span]
    ) -> Node:
        """A value of which some parts stand in the text, wherever that is."""
        return cls(*span, value, "", children, keys)

    @property
    def children(self) -> Mapping[str | int, Node]:
        if self._children is None:
            is_known = not self.text or not isinstance(self.value, dict | list)
            self._children = {} if is_known else Children(self)
        return self._children

    @property
    def keys(self) -> dict[str, Span]:
        """Where the keys of an object stand."""
        children = self.children
        if isinstance(children, Children):
            return children.keys_of_text()
        return self._keys if self._keys is not None else {}

    def find(self, parts: Sequence[str | int]) -> Node | None:
        """The value at a path, if the text has it."""
        node: Node | None = self
        for part in parts:
            node = node.children.get(part) if node is not None else None
        return node

    def add(self, key: str | int, child: Node, place: Span | None = None) -> None:
        """A member or an item that was read by hand; ``place`` is that of its key."""
        children = self.children
        assert isinstance(children, dict)
        children[key] = child
        if place is None:
            self.value.append(child.value)
            return
        self._keys = self._keys if self._keys is not None else {}
        self._keys[str(key)] = place
        self.value[key] = child.value


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


_NEAR = 4096
"""So many characters are tried first."""
_DAMAGED = object()

_PLACES = json.JSONDecoder()
_SOUND = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant
)


def sound(text: str, at: int, room: int) -> Node | int:
    """The object or list that begins at an offset if it is sound JSON, else how far reading came.

    Sound is what the standard library reads, without keys that occur twice, numbers that do not
    fit, halves of characters, and nesting of more than ``room`` levels.
    """
    if text[at : at + 1] not in ("{", "["):
        return at
    # A mistake of a text costs the standard library a look at all that is before it.
    near = _decoded(text[at : at + _NEAR], 0)
    value, end = near[0], at + near[1]
    if value is _DAMAGED and len(text) - at > _NEAR and (near[2] or near[1] > _NEAR - 32):
        value, end, _ = _decoded(text, at)
    if value is _DAMAGED:
        return end
    if _SURROGATE.search(text, at, end) or _is_deeper(text, at, end, value, room):
        return end
    return Node(at, end, value, text)


def _decoded(text: str, at: int) -> tuple[Any, int, bool]:
    """A value and its end, or where it is damaged; true where only its end may be missing."""
    try:
        return *_SOUND.raw_decode(text, at), False
    except json.JSONDecodeError as problem:
        return _DAMAGED, problem.pos, problem.msg.startswith("Unterminated")
    except (_NotSound, RecursionError):
        return _DAMAGED, len(text), False


def sound_items(text: str, at: int, room: int) -> Iterator[tuple[Node | int, int]]:
    """The sound items of a list from an offset on, each with where the next one begins.

    The last one may be how far reading came in an item that is not sound, and where that begins.
    """
    while isinstance(node := sound(text, at, room), Node):
        comma = _COMMA.match(text, node.end)
        if comma is None:
            return
        at = comma.end()
        yield node, at
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
