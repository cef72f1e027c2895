"""Telling netdesc's documents from other JSON, without reading them as either."""

from __future__ import annotations

import re
from pathlib import Path

_LOOK_BYTES = 1 << 16
_NAMED = re.compile(rb'"\$schema"\s*:\s*"([^"]*)"')
_KEYS = (b'"layers"', b'"neurons"', b'"loss"', b'"training"')


def may_be_document(path: Path) -> bool:
    """True for a document, also one with faults, and for what cannot be read.

    A document names netdesc's schema in ``$schema``; without one it has ``format`` and at least two
    other keys that only a document has together, so that a misspelt one does not hide it.
    """
    try:
        with path.open("rb") as file:
            start = file.read(_LOOK_BYTES)
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return True
    named = _NAMED.search(start)
    if named and named[1].endswith(b"network.schema.json"):
        return True
    if named and b"json-schema.org" in named[1]:
        return False  # a schema, such as netdesc's own
    return b'"format"' in start and sum(key in start for key in _KEYS) > 1
