"""Migrates documents of older formats to the current format, step by step.

A step is a pure function from the plain data of one format to the plain data of the next. Each step
has its own file, named after the format that it reads. The document may contain errors: a step
leaves unexpected values unchanged, and the checks that follow report them. The caller changes the
number of the format.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from netdesc.description.json.tree import Parts
from netdesc.description.json_pointer import leaves, lookup
from netdesc.description.models.document import FORMAT

Step = Callable[[dict[str, Any]], dict[str, Any]]

STEPS: Mapping[int, Step] = {}
"""Maps each older format to the step that reads it. Empty, because format 1 is the first one."""


def is_older(data: Any) -> bool:
    """Returns True if a document has an older format and can be migrated to the current one."""
    version = lookup(data, ("format",))
    if type(version) is not int:
        return False
    return version < FORMAT and all(number in STEPS for number in range(version, FORMAT))


def migrate_data(data: dict[str, Any]) -> dict[str, Any]:
    """Returns an older document in the current format. Leaves the argument unchanged."""
    for number in range(data["format"], FORMAT):
        data = STEPS[number](copy.deepcopy(data)) | {"format": number + 1}
    return data


def changed_paths(old: Any, new: Any) -> frozenset[Parts]:
    """Returns the paths of scalar and empty values of ``new`` that differ from ``old``."""
    return frozenset(
        parts
        for parts, value, before in leaves(new, old)
        if type(before) is not type(value) or before != value
    )
