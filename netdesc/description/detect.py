"""Telling netdesc's documents from other JSON, without reading them as either."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from netdesc.description.json_pointer import member
from netdesc.description.source import file_size

_LOOK_BYTES = 1 << 16
_NAMED = re.compile(rb'"\$schema"\s*:\s*"([^"]*)"')
_KEYS = (b'"layers"', b'"neurons"', b'"loss"', b'"training"')


def may_be_document(path: Path) -> bool:
    """True for a document, also one with faults, and for what cannot be read, or not twice.

    A document names netdesc's schema in ``$schema``; without one it has ``format`` and at least two
    other keys that only a document has together, so that a misspelt one does not hide it.
    """
    try:
        file_size(path)
        with path.open("rb") as file:
            start = file.read(_LOOK_BYTES)
    except (OSError, ValueError):  # ValueError: a pipe, or a NUL in the path
        return True
    named = _NAMED.search(start)
    if named and named[1].endswith(b"network.schema.json"):
        return True
    if named and b"json-schema.org" in named[1]:
        return False  # a schema, such as netdesc's own
    return b'"format"' in start and sum(key in start for key in _KEYS) > 1


def is_lock(data: Any) -> bool:
    """True for the plain data of the lock of a run. It stays as it is: resuming trusts no other."""
    return isinstance(member(data, "lock"), dict)
