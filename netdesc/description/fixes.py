"""Finds what to write instead of a wrong key or value: certain fixes, and values for hints.

``netdesc validate --fix`` writes certain fixes into the file.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, cast, get_origin

from netdesc.description import model_structure as structure
from netdesc.description.json.literals import plain_number
from netdesc.description.json.tree import Parts
from netdesc.description.json_pointer import lookup, members
from netdesc.description.models.document import FORMAT
from netdesc.description.spelling import certain_name, normalise_name
from netdesc.description.synonyms import FIELDS, UNSUPPORTED_FIELDS, UNSUPPORTED_TYPES

_MAX_EXACT = 1 << 53  # largest float that is converted: float64 has all integers up to 2^53
_EXPECTED = {"int_type": "an integer", "float_type": "a number", "bool_type": "true or false"}
"""Pydantic's errors of values that may be written in another form, and the expected form."""


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
    if kind in _EXPECTED:
        text = rewrite_value(parts, _EXPECTED[kind], value, data)
        is_json = isinstance(value, str) and plain_number(value) in (value, None)
        is_certain = is_json or isinstance(value, float)
        return PathFix("replace", parts, text) if text is not None and is_certain else None
    find = _FINDERS.get(kind)
    return find(parts, value, data) if find is not None else None


def replace_value(parts: Parts, value: Any) -> PathFix:
    """Returns a fix that replaces the value at a path by this value."""
    return PathFix("replace", parts, _json(value))


def _fix_key(parts: Parts, value: Any, data: Any) -> PathFix | None:
    """Returns the fix that renames a misspelt key; ``None`` if the name is uncertain or taken."""
    parent, old = parts[:-1], str(parts[-1])
    holder = lookup(data, parent)
    candidates = structure.models_at(parent, data)
    model = structure.choose_model(candidates, holder)
    is_known = any(old in structure.fields(candidate) for candidate in candidates)
    if model is None or is_known or {normalise_name(old)} & {*FIELDS, *UNSUPPORTED_FIELDS}:
        return None
    name = certain_name(old, structure.fields(model))
    if name is None or name in members(holder):
        return None
    forms = structure.alternatives(structure.fields(model)[name].annotation)
    if isinstance(value, list) and not any(get_origin(form) is tuple for form in forms):
        return None  # a list of seeds is more than a misspelt seed
    return PathFix("rename", (*parent, name), old=old)


def _fix_type_key(parts: Parts, value: Any, data: Any) -> PathFix | None:
    """Returns the fix that renames a misspelt key to ``type``; ``None`` if no fix is certain."""
    if not isinstance(value, dict) or "type" in value:
        return None
    models = structure.models_at(parts, data)
    fields = {name for model in models for name in structure.fields(model)}
    keys = [key for key in cast("dict[str, Any]", value) if key not in fields]
    misspelt = [key for key in keys if certain_name(key, fields) == "type"]
    return PathFix("rename", (*parts, "type"), old=misspelt[0]) if len(misspelt) == 1 else None


def _fix_type(parts: Parts, value: Any, data: Any) -> PathFix | None:
    models = structure.models_at(parts, data)
    names = [name for model in models for name in structure.type_names(model)]
    kind = lookup(value, ("type",))
    if not isinstance(kind, str) or normalise_name(kind) in UNSUPPORTED_TYPES:
        return None
    best = certain_name(kind, names)
    return replace_value((*parts, "type"), best) if best is not None else None


def _fix_choice(parts: Parts, value: Any, data: Any) -> PathFix | None:
    names = structure.literals_at(parts, data)
    best = certain_name(value, names) if isinstance(value, str) else None
    return replace_value(parts, best) if best is not None else None


_FINDERS: dict[str, Callable[[Parts, Any, Any], PathFix | None]] = {
    "extra_forbidden": _fix_key,
    "union_tag_not_found": _fix_type_key,
    "union_tag_invalid": _fix_type,
    "literal_error": _fix_choice,
    "missing": lambda parts, value, data: (
        PathFix("add", parts, str(FORMAT)) if parts == ("format",) else None
    ),
}
"""Maps a pydantic error type to the function that finds its fix. Other errors have no fix."""


def rewrite_value(parts: Parts, expected: str, actual: Any, data: Any) -> str | None:
    """Returns the JSON text of a value in the expected form; ``None`` if there is none.

    ``expected`` names the expected type in words, such as "a list". ``actual`` is the value at the
    path ``parts`` of the document ``data``.
    """
    number = _number(actual, expected)
    match actual:
        case [str(item)] if "a string" in expected:
            return _json(item)
        case [item] if _number(item, expected) and not isinstance(item, str):
            return _number(item, expected)
        case str() if "an object" in expected and (text := _object_with(parts, actual, data)):
            return text
        case int() | float() if "an object" in expected and not isinstance(actual, bool):
            return _object_with(parts, actual, data)
        case str() | float() if number is not None:
            return number
        case str() if "true or false" in expected and actual.lower() in ("true", "false"):
            return actual.lower()
        case str() if "null" in expected and actual.lower() == "none":
            return "null"
        case False if "null" in expected:
            return "null"
        case str() | int() | float() if "a list" in expected and not isinstance(actual, bool):
            return _list_of_one(parts, actual, data)
        case _:
            return None


def _number(value: Any, expected: str) -> str | None:
    """Returns the JSON text of a number, or of one in quotes, if it has the expected form."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = plain_number(value) if isinstance(value, str) else _json(value)
    if text is None or "a number" in expected:
        return text
    is_whole = re.fullmatch("-?[0-9]+", text) is not None
    if not is_whole and float(text).is_integer() and abs(float(text)) <= _MAX_EXACT:
        text, is_whole = str(int(float(text))), True
    return text if is_whole and "an integer" in expected else None


def _object_with(parts: Parts, actual: str | float, data: Any) -> str | None:
    """Returns the JSON text of an object made from a word or number; ``None`` if it is not clear.

    The value becomes the object's ``type``, or that of the only required field that takes it. Other
    required fields have example values.
    """
    models = structure.models_at(parts, data)
    of_type = [model for model in models if actual in structure.type_names(model)]
    if len(models) != 1 and not of_type:
        return None
    fields = structure.fields((of_type or models)[0])
    required = {name: info for name, info in fields.items() if info.is_required()}
    examples = {name: structure.example(info) for name, info in required.items()}
    if of_type:
        return _json({"type": actual} | examples | {"type": actual})
    kinds = {int, float} if isinstance(actual, int) else {type(actual)}
    forms = {name: structure.alternatives(info.annotation) for name, info in required.items()}
    fitting = [name for name, each in forms.items() if kinds.intersection(each)]
    return _json(examples | {fitting[0]: actual}) if len(fitting) == 1 else None


def _list_of_one(parts: Parts, actual: Any, data: Any) -> str | None:
    """Returns the JSON text of a list of a value, which becomes a number if the list takes some."""
    forms = structure.annotations_at((*parts, 0), data)
    types = {kind for form in forms for kind in structure.alternatives(form)}
    takes_text = str in types or any(actual in structure.literals(form) for form in forms)
    if isinstance(actual, float) and float not in types:
        return None
    if takes_text or not isinstance(actual, str):
        return _json([actual])
    number = plain_number(actual)
    return f"[{number}]" if number is not None else None


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
