"""Tells documents from other JSON files and from network files by their first bytes."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from netdesc.description.json_pointer import member
from netdesc.description.source import HDF5_START, file_size

_HEAD_BYTES = 1 << 16
_SCHEMA = re.compile(rb'"\$schema"\s*:\s*"([^"]*)"')
_KEYS = (b'"layers"', b'"neurons"', b'"loss"', b'"training"')


def may_be_document(path: Path) -> bool:
    """Returns True if a file looks like a document, valid or not, or if it cannot be read.

    A document names netdesc's schema in ``$schema``, or it has the key ``format`` and at least two
    of ``layers``, ``neurons``, ``loss`` and ``training`` (any key may be misspelt). A pipe gives
    True without being read, because its content can be read only once.
    """
    try:
        file_size(path)
        with path.open("rb") as file:
            start = file.read(_HEAD_BYTES).replace(b"\0", b"")  # half of the bytes of UTF-16
    except (OSError, ValueError):  # ValueError: a pipe, or a NUL in the path
        return True
    schema = _SCHEMA.search(start)
    if schema and schema[1].endswith(b"network.schema.json"):
        return True
    if schema and b"json-schema.org" in schema[1]:
        return False  # a JSON Schema, such as netdesc's own
    return b'"format"' in start and sum(key in start for key in _KEYS) > 1


def is_net_file(path: Path) -> bool:
    """Returns True if a file is a network file: by its suffix ``.net``, or because it is hdf5."""
    if path.suffix.lower() == ".net":
        return not os.path.isdir(path)  # False, too, for a name that the system refuses
    try:
        file_size(path)
        with path.open("rb") as file:
            return file.read(len(HDF5_START)) == HDF5_START
    except (OSError, ValueError):  # ValueError: a pipe or a folder, or a NUL in the path
        return False


def is_lock(data: Any) -> bool:
    """Returns True for a run's ``network.lock.json``, which resuming needs unchanged."""
    return isinstance(member(data, "lock"), dict)
