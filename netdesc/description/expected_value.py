"""Makes hints that say what to write for a missing field or for a value of the wrong type."""

from __future__ import annotations

import json
import re
from typing import Any

from pydantic.fields import FieldInfo

from netdesc.description import model_structure as structure
from netdesc.description.json.scalars import plain_number
from netdesc.description.json.tree import Parts

_MAX_QUOTED_CHARACTERS = 60
"""Values with more characters are not quoted in a hint."""

_BY_PLACE: dict[tuple[Parts, type], str] = {
    (("neurons",), list): 'write {"NAME": {…}}: its name stands before each neuron',
    (("layers",), dict): 'write [{"name": "NAME", …}, …]: a layer holds its name',
}
"""Hints for neurons in a list and for layers in an object, by path and type of the value."""


def hint_for_missing_field(name: str, info: FieldInfo) -> tuple[str, tuple[str, ...]]:
    """Returns a hint with an example of a required field, if known, and notes about its meaning."""
    values = structure.literals(info.annotation)
    example = structure.extra(info).get("x-example", values[0] if len(values) == 1 else None)
    hint = f'write "{name}": {json.dumps(example)}' if example is not None else ""
    if values:
        return hint, ()
    sentence = (info.description or "").partition(". ")[0].rstrip(".")
    unit = structure.extra(info).get("x-unit", "1")
    return hint, (f"{name}: {sentence}" + (f"; unit: {unit}" if unit != "1" else ""),)


def hint_for_wrong_form(parts: Parts, expected: str, actual: Any, data: Any) -> str:
    """Returns a hint with the value in the expected form, or else with an example of the field.

    The hint is "" if there is no example either. ``expected`` names the expected type in words,
    such as "a list". ``actual`` is the value at the path ``parts`` of the document ``data``.
    """
    if (parts, type(actual)) in _BY_PLACE:
        return _BY_PLACE[parts, type(actual)]
    if actual is None or len(json.dumps(actual)) > _MAX_QUOTED_CHARACTERS:
        return ""
    text = _rewrite(parts, expected, actual, data)
    if text is not None:
        return f"write {text}"
    info = structure.field_at(parts, data)
    example = structure.extra(info).get("x-example") if info is not None else None
    return f"such as {_json(example)}" if isinstance(example, dict | list) else ""


def _rewrite(parts: Parts, expected: str, actual: Any, data: Any) -> str | None:
    """Returns the JSON text of the value in the expected form; ``None`` if there is none."""
    takes_number = re.search("number|integer", expected) is not None
    match actual:
        case [str(item)] if "a string" in expected:
            return _json(item)
        case [int() | float() as item] if takes_number:
            return _json(item)
        case str() if "an object" in expected and (text := _object_from_word(parts, actual, data)):
            return text
        case int() | float() if "an object" in expected and not isinstance(actual, bool):
            return _object_from_number(parts, actual, data)
        case str() if takes_number and (number := plain_number(actual)):
            return number
        case str() if "null" in expected and actual.lower() == "none":
            return "null"
        case False if "null" in expected:
            return "null"
        case str() | int() | float() if "a list" in expected and not isinstance(actual, bool):
            return _list_of_one(parts, actual, data)
        case _:
            return None


def _object_from_word(parts: Parts, actual: str, data: Any) -> str | None:
    """Returns the JSON text of an object made from a word; ``None`` if that is impossible.

    The word becomes the object's ``type``, or the value of its only required field.
    """
    models = structure.models_at(parts, data)
    for model in models:
        fields = structure.fields(model)
        required = {name: info for name, info in fields.items() if info.is_required()}
        if actual in structure.type_names(model):
            examples = {name: structure.example(required[name]) for name in required}
            return _json({"type": actual} | {**examples, "type": actual})
        if len(models) == len(required) == 1 and not structure.type_names(model):
            ((name, info),) = required.items()
            return _json({name: actual}) if info.annotation is str else None
    return None


def _object_from_number(parts: Parts, actual: float, data: Any) -> str | None:
    """Returns the JSON text of an object with ``actual`` in its only required field of numbers.

    Other required fields have example values. ``None`` if several objects or fields are possible.
    """
    models = structure.models_at(parts, data)
    if len(models) != 1:
        return None
    required = {name: i for name, i in structure.fields(models[0]).items() if i.is_required()}
    numbers: set[Any] = {int, float} if isinstance(actual, int) else {float}
    of_number = [
        name
        for name, info in required.items()
        if numbers.intersection(structure.alternatives(info.annotation))
    ]
    examples = {name: structure.example(info) for name, info in required.items()}
    return _json(examples | {of_number[0]: actual}) if len(of_number) == 1 else None


def _list_of_one(parts: Parts, actual: Any, data: Any) -> str | None:
    """Returns the JSON text of a list of a value, which becomes a number if the list takes some."""
    forms = structure.annotations_at((*parts, 0), data)
    types = {each for form in forms for each in structure.alternatives(form)}
    takes_text = str in types or any(actual in structure.literals(form) for form in forms)
    if isinstance(actual, float) and float not in types:
        return None
    if takes_text or not isinstance(actual, str):
        return _json([actual])
    number = plain_number(actual)
    return f"[{number}]" if number is not None else None


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
