"""Writes plain data as JSON with one layout, for the documents that netdesc writes.

An object or list is written on one line if it fits, otherwise with one entry per line. The document
itself always has one entry per line.
"""

import json
from typing import Any, cast

from netdesc.description.json_pointer import members

WIDTH = 100
"""Largest number of characters in a line that holds a whole object or list."""
_INDENT = "  "


def document_text(data: dict[str, Any]) -> str:
    """Returns the text of a document. ValueError for NaN or infinity."""
    return _lay_out(data, "", WIDTH) + "\n"


def _lay_out(value: object, indent: str, used: int) -> str:
    """Lays a value out. ``used`` is the width that other text takes in the line."""
    line = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if not value or not isinstance(value, dict | list) or used + len(line) <= WIDTH:
        return line
    inner, last = indent + _INDENT, len(cast("list[Any]", value)) - 1
    lines: list[str] = []
    for index, (key, entry) in enumerate(members(value).items()):
        name = f"{json.dumps(key, ensure_ascii=False)}: " if isinstance(value, dict) else ""
        start = inner + name
        lines.append(start + _lay_out(entry, inner, len(start) + (index < last)))
    return "\n".join([line[0], ",\n".join(lines), indent + line[-1]])
