"""Values with their places in a text, and the quick way to read what is sound."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, cast

from netdesc.description.plain import member, members
from netdesc.description.tokens import MAX_INTEGER

Span = tuple[int, int]
Parts = tuple[str | int, ...]

_SPACE = re.compile(r"[ \t\r\n]*")
_COMMA = re.compile(r'[ \t\r\n]*,[ \t\r\n]*(?=["{\[0-9tfn-])')
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class Children(Mapping[str | int, "Node"]):
    """The values that a sound value holds, found when one of them is asked for.

    The text is read up to that one only: of a million values the first ones are pointed at.
    """

    __slots__ = ("_at", "_found", "_node", "_spans", "_unread")

    def __init__(self, node: Node) -> None:
        self._node = node
        self._found: dict[str | int, Node] = {}
        self._spans: dict[str, Span] = {}
        self._unread = iter(self)
        self._at = _after_space(node.text, node.start + 1)

    def __len__(self) -> int:
        return len(self._node.value)

    def __iter__(self) -> Iterator[str | int]:
        value = self._node.value
        if isinstance(value, dict):
            return iter(cast("dict[str | int, Any]", value))
        return iter(range(len(value)))

    def __contains__(self, part: object) -> bool:
        value = self._node.value
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
        """Where in the text a key stands."""
        self[key]
        return self._spans[key]

    def _read(self, part: str | int) -> None:
        """Find the next value, which stands in the text where the one before ended."""
        node = self._node
        text, at, value = node.text, self._at, cast("object", node.value)
        if isinstance(value, dict):
            _, end = _PLACES.raw_decode(text, at)
            self._spans[str(part)] = (at, end)
            at = _after_space(text, _after_space(text, end) + 1)
        _, end = _PLACES.raw_decode(text, at)
        self._found[part] = Node(at, end, member(value, part), text)
        self._at = _after_space(text, _after_space(text, end) + 1)


class Keys(Mapping[str, Span]):
    """Where the keys of a sound object stand."""

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
    def keys(self) -> Mapping[str, Span]:
        """Where the keys of an object stand."""
        children = self.children
        if isinstance(children, Children) and isinstance(self.value, dict):
            return Keys(children)
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
