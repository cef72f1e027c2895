"""Paths into plain data (the output of ``json.loads``): JSON pointers, look-up, dotted form."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast


def pointer(parts: Iterable[str | int]) -> str:
    """The JSON pointer (RFC 6901) of a path."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def lookup(data: Any, parts: Iterable[str | int]) -> Any:
    """The value at a path, or ``None`` if there is none."""
    for part in parts:
        data = member(data, part)
    return data


def member(value: Any, part: str | int, absent: Any = None) -> Any:
    """One entry of an object or a list, or ``absent``."""
    if isinstance(value, dict):
        return cast("dict[str | int, Any]", value).get(part, absent)
    if isinstance(value, list) and isinstance(part, int):
        items = cast("list[Any]", value)
        return items[part] if 0 <= part < len(items) else absent
    return absent


def members(value: Any) -> dict[str | int, Any]:
    """The values in an object or list, by key or index; empty for other values."""
    if isinstance(value, dict):
        return cast("dict[str | int, Any]", value)
    return dict(enumerate(cast("list[Any]", value))) if isinstance(value, list) else {}


def dotted(parts: Iterable[str | int]) -> str:
    """A path as ``--set`` writes it."""
    return ".".join(str(part) for part in parts)
