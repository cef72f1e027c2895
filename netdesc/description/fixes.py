"""Finds unambiguous fixes for misspelt names and for values in quotes or of the wrong type.

``netdesc validate --fix`` writes them into the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, cast, get_origin

from netdesc.description import model_structure as structure
from netdesc.description.json.tree import Parts
from netdesc.description.json_pointer import lookup, members
from netdesc.description.models.document import FORMAT
from netdesc.description.spelling import certain_name, normalise_name
from netdesc.description.synonyms import FIELDS, UNSUPPORTED_FIELDS, UNSUPPORTED_TYPES

MAX_EXACT = 1 << 53
"""Largest float that is converted to an integer: float64 represents integers up to 2^53."""
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,15})(?:\.[0-9]{1,16})?(?:[eE][+-]?[0-9]{1,2})?")
_BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class PathFix:
    """An unambiguous fix at ``path``. ``SourceMap.add_fix`` converts it to edits of the text.

    ``rename`` renames the key ``old`` to the last part of ``path``. ``replace`` and ``add`` write
    ``text``, which is JSON.
    """

    act: Literal["rename", "replace", "add"]
    path: Parts
    text: str = ""
    old: str = ""

    @property
    def title(self) -> str:
        name = self.path[-1]
        if self.act == "rename":
            return f'rename "{self.old}" to "{name}"'
        return f'add "{name}": {self.text}' if self.act == "add" else f"write {self.text}"


def find_fix(kind: str, parts: Parts, value: Any, data: Any) -> PathFix | None:
    """Returns the fix of a pydantic error ``kind`` at ``parts``; ``None`` if no fix is certain."""
    find = _FINDERS.get(kind)
    return find(parts, value, data) if find is not None else None


def replace_value(parts: Parts, value: Any) -> PathFix:
    """Returns a fix that replaces the value at a path by this value."""
    return PathFix("replace", parts, json.dumps(value, ensure_ascii=False))


def _fix_key(parts: Parts, value: Any, data: Any) -> PathFix | None:
    """Returns the fix that renames a misspelt key; ``None`` if the name is uncertain or taken."""
    parent, old = parts[:-1], str(parts[-1])
    holder = lookup(data, parent)
    candidates = structure.models_at(parent, data)
    model = structure.choose_model(candidates, holder)
    is_known = any(old in structure.fields(each) for each in candidates)
    if model is None or is_known or {normalise_name(old)} & {*FIELDS, *UNSUPPORTED_FIELDS}:
        return None
    name = certain_name(old, structure.fields(model))
    if name is None or name in members(holder):
        return None
    forms = structure.alternatives(structure.fields(model)[name].annotation)
    if isinstance(value, list) and not any(get_origin(each) is tuple for each in forms):
        return None  # a list of seeds is more than a misspelt seed
    return PathFix("rename", (*parent, name), old=old)


def _fix_type_key(parts: Parts, value: Any, data: Any) -> PathFix | None:
    """Returns the fix that renames a misspelt key to ``type``; ``None`` if no fix is certain."""
    if not isinstance(value, dict) or "type" in value:
        return None
    held = cast("dict[str, Any]", value)
    candidates = structure.models_at(parts, data)
    known = {name for model in candidates for name in structure.fields(model)}
    found = [key for key in held if key not in known and certain_name(key, known) == "type"]
    return PathFix("rename", (*parts, "type"), old=found[0]) if len(found) == 1 else None


def _fix_type(parts: Parts, value: Any, data: Any) -> PathFix | None:
    name = lookup(value, ("type",))
    names = [
        each for model in structure.models_at(parts, data) for each in structure.type_names(model)
    ]
    if not isinstance(name, str) or normalise_name(name) in UNSUPPORTED_TYPES:
        return None
    best = certain_name(name, names)
    return replace_value((*parts, "type"), best) if best is not None else None


def _fix_choice(parts: Parts, value: Any, data: Any) -> PathFix | None:
    if not isinstance(value, str):
        return None
    best = certain_name(value, structure.literals_at(parts, data))
    return replace_value(parts, best) if best is not None else None


def _fix_integer(parts: Parts, value: Any, data: Any) -> PathFix | None:
    number = _parse_number(value) if isinstance(value, str) else value
    if isinstance(number, float) and number.is_integer() and abs(number) <= MAX_EXACT:
        number = int(number)
    is_integer = isinstance(number, int) and not isinstance(number, bool)
    return replace_value(parts, number) if is_integer else None


def _fix_float(parts: Parts, value: Any, data: Any) -> PathFix | None:
    """Returns the fix that removes the quotes around a number and keeps its text, or ``None``."""
    is_number = isinstance(value, str) and _parse_number(value) is not None
    return PathFix("replace", parts, value) if is_number else None


def _fix_boolean(parts: Parts, value: Any, data: Any) -> PathFix | None:
    boolean = _BOOLEANS.get(value.lower()) if isinstance(value, str) else None
    return replace_value(parts, boolean) if boolean is not None else None


def _fix_missing(parts: Parts, value: Any, data: Any) -> PathFix | None:
    return PathFix("add", parts, str(FORMAT)) if parts == ("format",) else None


def _parse_number(text: str) -> int | float | None:
    """Returns the number that a string spells in JSON's notation, or ``None``."""
    return json.loads(text) if _NUMBER.fullmatch(text) else None


_FINDERS: dict[str, Callable[[Parts, Any, Any], PathFix | None]] = {
    "extra_forbidden": _fix_key,
    "union_tag_not_found": _fix_type_key,
    "union_tag_invalid": _fix_type,
    "literal_error": _fix_choice,
    "int_type": _fix_integer,
    "float_type": _fix_float,
    "bool_type": _fix_boolean,
    "missing": _fix_missing,
}
"""Maps a pydantic error type to the function that finds its fix. Other errors have no fix."""
