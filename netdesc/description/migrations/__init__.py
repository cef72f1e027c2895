"""Documents of older formats become ones of the present format, a step at a time.

A step is a pure function from the plain data of a document to that of the next format, and has a
file of its own, named after the format from which it starts. The document may be wrong in any
place: a step leaves what is not as expected as it is, for the checks that follow to find. The
number of the format is changed for it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from netdesc.description.json.tree import Parts
from netdesc.description.json_pointer import lookup, member, members
from netdesc.description.models.document import FORMAT

Step = Callable[[dict[str, Any]], dict[str, Any]]

STEPS: Mapping[int, Step] = {}
"""The steps by the format from which they start. Format 1 is the lowest, so there is none yet."""

_ABSENT = object()


def is_older(data: Any) -> bool:
    """Whether steps lead from the format of this document to the present one."""
    given = lookup(data, ("format",))
    if type(given) is not int:
        return False
    return given < FORMAT and all(number in STEPS for number in range(given, FORMAT))


def migrate_data(data: dict[str, Any]) -> dict[str, Any]:
    """An older document in the present format; what is given stays as it is."""
    for number in range(data["format"], FORMAT):
        data = STEPS[number](copy.deepcopy(data)) | {"format": number + 1}
    return data


def changed_paths(old: Any, new: Any, parts: Parts = ()) -> Iterator[Parts]:
    """The places of the values that hold no other and that the old data do not have there."""
    held = members(new)
    if not held and (type(old) is not type(new) or old != new):
        yield parts
    for key, inner in held.items():
        yield from changed_paths(member(old, key, _ABSENT), inner, (*parts, key))
