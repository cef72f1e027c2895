"""What mends a fault for certain: the one thing that can have been meant.

``netdesc validate --fix`` writes these into the file, and checking goes on as if they stood there,
so that it sees what will be found after the fix.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, cast

from netdesc.description import model_structure as structure
from netdesc.description.json.tree import Parts
from netdesc.description.json_pointer import lookup, members
from netdesc.description.models import Document
from netdesc.description.models.document import FORMAT
from netdesc.description.spelling import certain_name, normalise_name
from netdesc.description.synonyms import FIELDS

MAX_EXACT = 1 << 53
"""Up to here a float that is whole is that integer and no other."""
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,15})(?:\.[0-9]{1,16})?(?:[eE][+-]?[0-9]{1,2})?")
_BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class PathFix:
    """A change at ``path``, which is where the value stands afterwards.

    ``rename`` gives the key ``old`` beside it the name at the end of ``path``; ``replace`` and
    ``add`` write ``text``, which is JSON.
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

    @property
    def section(self) -> Parts:
        """What is read otherwise afterwards: the value, or an object whose ``type`` changed."""
        return self.path[:-1] if self.path[-1] == "type" else self.path

    def apply(self, data: Any) -> bool:
        """Change plain data. False where what should hold the value is not there."""
        holder: Any = lookup(data, self.path[:-1])
        if not isinstance(holder, dict | list):
            return False
        changed = cast("dict[str | int, Any]", holder)
        is_rename = self.act == "rename"
        changed[self.path[-1]] = changed.pop(self.old) if is_rename else json.loads(self.text)
        return True


def find_fix(kind: str, parts: Parts, value: Any, data: Any) -> PathFix | None:
    """What certainly mends a fault of this kind of pydantic's, if anything does."""
    find = _FINDERS.get(kind)
    return find(parts, value, data) if find is not None else None


def replace_value(parts: Parts, value: Any) -> PathFix:
    """A remedy that writes another value."""
    return PathFix("replace", parts, json.dumps(value, ensure_ascii=False))


def _key(parts: Parts, value: Any, data: Any) -> PathFix | None:
    """A misspelt key, whose name no other key has."""
    parent, old = parts[:-1], str(parts[-1])
    holder = lookup(data, parent)
    candidates = structure.models_at(Document, parent, data)
    model = structure.choose(candidates, holder)
    is_known = any(old in structure.fields(each) for each in candidates)
    if model is None or is_known or normalise_name(old) in FIELDS:
        return None
    name = certain_name(old, structure.fields(model))
    if name is None or name in members(holder):
        return None
    return PathFix("rename", (*parent, name), old=old)


def _type_key(parts: Parts, value: Any, data: Any) -> PathFix | None:
    """An object without ``type`` in which another key is a misspelt one."""
    if not isinstance(value, dict) or "type" in value:
        return None
    held = cast("dict[str, Any]", value)
    candidates = structure.models_at(Document, parts, data)
    known = {name for model in candidates for name in structure.fields(model)}
    found = [key for key in held if key not in known and certain_name(key, known) == "type"]
    return PathFix("rename", (*parts, "type"), old=found[0]) if len(found) == 1 else None


def _type(parts: Parts, value: Any, data: Any) -> PathFix | None:
    given = lookup(value, ("type",))
    names = [
        name
        for model in structure.models_at(Document, parts, data)
        for name in structure.type_names(model)
    ]
    best = certain_name(given, names) if isinstance(given, str) else None
    return replace_value((*parts, "type"), best) if best is not None else None


def _choice(parts: Parts, value: Any, data: Any) -> PathFix | None:
    if not isinstance(value, str):
        return None
    annotations = structure.annotations_at(Document, parts, data)
    values = [each for annotation in annotations for each in structure.literals(annotation)]
    best = certain_name(value, [each for each in values if isinstance(each, str)])
    if best is not None:
        return replace_value(parts, best)
    number = _spelt(value)
    is_one = number is not None and any(type(each) is int and each == number for each in values)
    return PathFix("replace", parts, value) if is_one else None


def _integer(parts: Parts, value: Any, data: Any) -> PathFix | None:
    number = _spelt(value) if isinstance(value, str) else value
    if isinstance(number, float) and number.is_integer() and abs(number) <= MAX_EXACT:
        number = int(number)
    is_integer = isinstance(number, int) and not isinstance(number, bool)
    return replace_value(parts, number) if is_integer else None


def _float(parts: Parts, value: Any, data: Any) -> PathFix | None:
    """The number as it stands in its quotes: ``1e-3`` stays ``1e-3``."""
    is_number = isinstance(value, str) and _spelt(value) is not None
    return PathFix("replace", parts, value) if is_number else None


def _boolean(parts: Parts, value: Any, data: Any) -> PathFix | None:
    meant = _BOOLEANS.get(value.lower()) if isinstance(value, str) else None
    return replace_value(parts, meant) if meant is not None else None


def _missing(parts: Parts, value: Any, data: Any) -> PathFix | None:
    return PathFix("add", parts, str(FORMAT)) if parts == ("format",) else None


def _spelt(text: str) -> int | float | None:
    """The number that a string spells as JSON would."""
    return json.loads(text) if _NUMBER.fullmatch(text) else None


_FINDERS: dict[str, Callable[[Parts, Any, Any], PathFix | None]] = {
    "extra_forbidden": _key,
    "union_tag_not_found": _type_key,
    "union_tag_invalid": _type,
    "literal_error": _choice,
    "int_type": _integer,
    "float_type": _float,
    "bool_type": _boolean,
    "missing": _missing,
}
"""By pydantic's name of a fault; where one is not listed, nothing is certain."""
