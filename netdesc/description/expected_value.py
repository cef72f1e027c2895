"""Makes hints that say what to write for a missing field or for a value of the wrong type."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, cast

from pydantic.fields import FieldInfo

from netdesc.description import model_structure as structure
from netdesc.description.json.scalars import plain_number
from netdesc.description.json.tree import Parts
from netdesc.description.json_pointer import lookup
from netdesc.description.models import Document

_MAX_QUOTED_CHARACTERS = 60
"""Values with more characters are not quoted in a hint."""

_BY_PLACE: dict[tuple[Parts, type], str] = {
    (("neurons",), list): 'write {"NAME": {…}}: its name stands before each neuron',
    (("layers",), dict): 'write [{"name": "NAME", …}, …]: a layer holds its name',
}
"""Hints for neurons in a list and for layers in an object, by path and type of the value."""


def hint_for_missing_field(name: str, info: FieldInfo) -> tuple[str, tuple[str, ...]]:
    """Returns a hint with an example of a required field, and notes about its meaning.

    The hint is empty if no example is known.
    """
    extra = cast("dict[str, Any]", info.json_schema_extra or {})
    values = structure.literals(info.annotation)
    example = extra.get("x-example", values[0] if len(values) == 1 else None)
    hint = f'write "{name}": {json.dumps(example)}' if example is not None else ""
    if values:
        return hint, ()
    sentence = (info.description or "").partition(". ")[0].rstrip(".")
    unit = extra.get("x-unit", "1")
    note = f"{name}: {sentence}" + (f"; unit: {unit}" if unit != "1" else "")
    return hint, (note,)


def hint_for_wrong_form(parts: Parts, expected: str, actual: Any, data: Any) -> str:
    """Returns a hint with the value in the expected form, or else with an example of the field.

    The hint is "" if there is no example either. ``expected`` names the expected type in words,
    such as "a list". ``actual`` is the value at the path ``parts`` of the document ``data``.
    """
    if (parts, type(actual)) in _BY_PLACE:
        return _BY_PLACE[parts, type(actual)]
    if actual is None or len(json.dumps(actual)) > _MAX_QUOTED_CHARACTERS:
        return ""
    for kinds, form, write in _REWRITES:
        if type(actual) in kinds and re.search(form, expected):
            text = write(parts, actual, data)
            if text is not None:
                return f"write {text}"
    example = _example(parts, data)
    return f"such as {_json(example)}" if isinstance(example, dict | list) else ""


def _object_from_word(parts: Parts, actual: str, data: Any) -> str | None:
    """Returns the JSON text of an object made from a word; ``None`` if that is impossible.

    The word becomes the object's ``type``, or the value of its only required field.
    """
    models = structure.models_at(Document, parts, data)
    for model in models:
        fields = structure.fields(model)
        required = {name: info for name, info in fields.items() if info.is_required()}
        if actual in structure.type_names(model):
            examples = {
                name: _field_example(info) for name, info in required.items() if name != "type"
            }
            return _json({"type": actual} | examples)
        if len(models) == len(required) == 1 and not structure.type_names(model):
            ((name, info),) = required.items()
            return _json({name: actual}) if info.annotation is str else None
    return None


def _number_from_text(parts: Parts, actual: str, data: Any) -> str | None:
    """Returns the JSON text of a number in another notation: 0.5 for .5 and 0,5; else ``None``."""
    if re.fullmatch("-?[0-9]+,[0-9]+", actual):
        actual = actual.replace(",", ".")
    return plain_number(actual)


def _list_from_parentheses(parts: Parts, actual: str, data: Any) -> str | None:
    is_tuple = actual[:1] == "(" and actual[-1:] == ")"
    return f"[{actual[1:-1].strip().removesuffix(',')}]" if is_tuple else None


def _list_of_one(parts: Parts, actual: Any, data: Any) -> str | None:
    forms = structure.annotations_at(Document, (*parts, 0), data)
    takes_text = any(
        str in structure.alternatives(form) or actual in structure.literals(form) for form in forms
    )
    if takes_text or not isinstance(actual, str):
        return _json([actual])
    number = _number_from_text(parts, actual, data)
    return f"[{number}]" if number is not None else None


def _only_item(kind: type) -> Callable[[Parts, Any, Any], str | None]:
    def write(parts: Parts, actual: Any, data: Any) -> str | None:
        return _json(actual[0]) if len(actual) == 1 and type(actual[0]) is kind else None

    return write


_REWRITES: tuple[tuple[tuple[type, ...], str, Callable[[Parts, Any, Any], str | None]], ...] = (
    ((bool,), "a list", lambda parts, actual, data: None if actual else "[]"),
    ((str,), "an object", _object_from_word),
    ((str,), "number|integer", _number_from_text),
    ((str,), "null", lambda _, actual, __: "null" if actual.lower() in ("none", "nil") else None),
    ((str,), "a list", _list_from_parentheses),
    ((str, int, float), "a list", _list_of_one),
    ((list,), "a string", _only_item(str)),
    ((list,), "an integer|a number", _only_item(int)),
    ((list,), "a number", _only_item(float)),
)
"""Rows of (types, pattern, function). The first row that applies is used.

A row applies if the value has one of the types and the pattern matches the expected form, such as
"a list". Its function returns the value in that form as JSON text, or ``None`` if it cannot.
"""


def _example(parts: Parts, data: Any) -> Any:
    """Returns the example of the field at a path; ``None`` if it has no example."""
    holder = lookup(data, parts[:-1])
    model = structure.choose_model(structure.models_at(Document, parts[:-1], data), holder)
    info = structure.fields(model).get(str(parts[-1])) if model is not None and parts else None
    return _field_example(info) if info is not None else None


def _field_example(info: FieldInfo) -> Any:
    return cast("dict[str, Any]", info.json_schema_extra or {}).get("x-example")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
