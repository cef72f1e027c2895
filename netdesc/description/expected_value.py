"""What to write where a value has the wrong form: a number for a list, a word for an object."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, cast

from netdesc.description import model_structure as structure
from netdesc.description.json.scalars import plain_number
from netdesc.description.json.tree import Parts
from netdesc.description.json_pointer import lookup
from netdesc.description.models import Document

_MAX_REPEATED_CHARACTERS = 60
"""Longer values are not repeated."""

_BY_PLACE: dict[tuple[Parts, type], str] = {
    (("neurons",), list): 'write {"NAME": {…}}: its name stands before each neuron',
    (("layers",), dict): 'write [{"name": "NAME", …}, …]: a layer holds its name',
}
"""Hints for lists of neurons and layers by name, by their place and form."""


def to_write_instead(parts: Parts, expected: str, given: Any, data: Any) -> str:
    """A hint with the value in the form that is expected, or with an example; empty without."""
    if (parts, type(given)) in _BY_PLACE:
        return _BY_PLACE[parts, type(given)]
    if given is None or len(json.dumps(given)) > _MAX_REPEATED_CHARACTERS:
        return ""
    for kinds, form, write in _REWRITES:
        if type(given) in kinds and re.search(form, expected):
            text = write(parts, given, data)
            if text is not None:
                return f"write {text}"
    example = _example(parts, data)
    return f"such as {_json(example)}" if isinstance(example, dict | list) else ""


def _object_for_word(parts: Parts, given: str, data: Any) -> str | None:
    """The object of the type that a word names, or with the word as its only field."""
    models = structure.models_at(Document, parts, data)
    for model in models:
        fields = structure.fields(model)
        required = {name: info for name, info in fields.items() if info.is_required()}
        if given in structure.type_names(model):
            examples = {name: _extra(info) for name, info in required.items() if name != "type"}
            return _json({"type": given} | examples)
        if len(models) == len(required) == 1 and not structure.type_names(model):
            ((name, info),) = required.items()
            return _json({name: given}) if info.annotation is str else None
    return None


def _number_for_text(parts: Parts, given: str, data: Any) -> str | None:
    """The number that a text means in another notation: 0.5 for .5 and for 0,5."""
    if re.fullmatch("-?[0-9]+,[0-9]+", given):
        given = given.replace(",", ".")
    return plain_number(given)


def _list_for_parentheses(parts: Parts, given: str, data: Any) -> str | None:
    is_tuple = given[:1] == "(" and given[-1:] == ")"
    return f"[{given[1:-1].strip().removesuffix(',')}]" if is_tuple else None


def _list_of_one(parts: Parts, given: Any, data: Any) -> str | None:
    forms = structure.annotations_at(Document, (*parts, 0), data)
    takes_text = any(
        str in structure.alternatives(form) or given in structure.literals(form) for form in forms
    )
    if takes_text or not isinstance(given, str):
        return _json([given])
    number = _number_for_text(parts, given, data)
    return f"[{number}]" if number is not None else None


def _only_item(kind: type) -> Callable[[Parts, Any, Any], str | None]:
    def write(parts: Parts, given: Any, data: Any) -> str | None:
        return _json(given[0]) if len(given) == 1 and type(given[0]) is kind else None

    return write


_REWRITES: tuple[tuple[tuple[type, ...], str, Callable[[Parts, Any, Any], str | None]], ...] = (
    ((bool,), "a list", lambda parts, given, data: None if given else "[]"),
    ((str,), "an object", _object_for_word),
    ((str,), "number|integer", _number_for_text),
    ((str,), "null", lambda _, given, __: "null" if given.lower() in ("none", "nil") else None),
    ((str,), "a list", _list_for_parentheses),
    ((str, int, float), "a list", _list_of_one),
    ((list,), "a string", _only_item(str)),
    ((list,), "an integer|a number", _only_item(int)),
    ((list,), "a number", _only_item(float)),
)
"""Type of the value, what is expected, and the JSON text to write; the first that fits counts."""


def _example(parts: Parts, data: Any) -> Any:
    """What a field may hold, if the language gives an example of it."""
    holder = lookup(data, parts[:-1])
    model = structure.choose(structure.models_at(Document, parts[:-1], data), holder)
    info = structure.fields(model).get(str(parts[-1])) if model is not None and parts else None
    return _extra(info) if info is not None else None


def _extra(info: structure.FieldInfo) -> Any:
    return cast("dict[str, Any]", info.json_schema_extra or {}).get("x-example")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
