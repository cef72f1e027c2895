"""Paths into plain data (the output of ``json.loads``): JSON pointers, look-up, dotted form."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast


def pointer(parts: Iterable[str | int]) -> str:
    """Returns the JSON pointer (RFC 6901) of a path."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def lookup(data: Any, parts: Iterable[str | int]) -> Any:
    """Returns the value at a path, or ``None`` if the data do not have the path."""
    for part in parts:
        data = member(data, part)
    return data


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


def dotted(parts: Iterable[str | int]) -> str:
    """Returns a path in the notation of ``--set``, such as ``layers.0.units``."""
    return ".".join(str(part) for part in parts)
