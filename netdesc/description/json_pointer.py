"""Paths into plain data (the output of ``json.loads``): JSON pointers, look-up, dotted form."""

from collections.abc import Iterable, Iterator
from functools import reduce
from typing import Any, cast

ABSENT = object()
"""Stands for a value that is not there; ``None`` is JSON's null."""


def pointer(parts: Iterable[str | int]) -> str:
    """Returns the JSON pointer (RFC 6901) of a path."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def lookup(data: Any, parts: Iterable[str | int]) -> Any:
    """Returns the value at a path, or ``None`` if the data do not have the path."""
    return reduce(member, parts, data)


def member(value: Any, part: str | int, absent: Any = None) -> Any:
    """Returns one entry of an object or list, or ``absent`` if it does not exist."""
    if isinstance(value, dict):
        return cast("dict[str | int, Any]", value).get(part, absent)
    if isinstance(value, list) and isinstance(part, int):
        items = cast("list[Any]", value)
        return items[part] if 0 <= part < len(items) else absent
    return absent


def members(value: Any) -> dict[str | int, Any]:
    """Maps each key or index of an object or list to its value; empty for other values."""
    if isinstance(value, dict):
        return cast("dict[str | int, Any]", value)
    return dict(enumerate(cast("list[Any]", value))) if isinstance(value, list) else {}


def leaves(
    value: Any, other: Any, parts: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], Any, Any]]:
    """Yields the path of each scalar and of each empty object or list in ``value``, with the value
    there and the one that ``other`` has at this path, or ``ABSENT``.
    """
    held = members(value)
    if not held:
        yield parts, value, other
    for key, inner in held.items():
        yield from leaves(inner, member(other, key, ABSENT), (*parts, key))


def dotted(parts: Iterable[str | int]) -> str:
    """Returns a path in the notation of ``--set``, such as ``layers.0.units``."""
    return ".".join(str(part) for part in parts)
