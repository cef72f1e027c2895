"""Makes hints that say what to write for a missing field or for a value of the wrong type."""

from __future__ import annotations

import json
import re
from typing import Any

from pydantic.fields import FieldInfo

from netdesc.description import model_structure as structure
from netdesc.description.json.literals import plain_number
from netdesc.description.json.tree import Parts

_MAX_QUOTED_CHARACTERS = 60
"""Values with more characters are not quoted in a hint."""

_BY_PLACE: dict[tuple[Parts, type], str] = {
    (("neurons",), list): 'write {"NAME": {…}}: its name stands before each neuron',
    (("layers",), dict): 'write [{"name": "NAME", …}, …]: a layer holds its name',
    (("spike",), list): 'write one, as "max(v - 1, -1 - v) > 0" for "v > 1" or "v < -1"',
}
"""Hints for what stands in a list or an object, by path, or by its end, and type of the value."""


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
    if (parts[-1:], type(actual)) in _BY_PLACE:
        return _BY_PLACE[parts[-1:], type(actual)]
    return f"such as {_json(example)}" if isinstance(example, dict | list) else ""


def _rewrite(parts: Parts, expected: str, actual: Any, data: Any) -> str | None:
    """Returns the JSON text of the value in the expected form; ``None`` if there is none."""
    takes_number = re.search("number|integer", expected) is not None
    match actual:
        case [str(item)] if "a string" in expected:
            return _json(item)
        case [int() | float() as item] if takes_number:
            return _json(item)
        case str() if "an object" in expected and (text := _object_with(parts, actual, data)):
            return text
        case int() | float() if "an object" in expected and not isinstance(actual, bool):
            return _object_with(parts, actual, data)
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
    fitting = [
        name
        for name, info in required.items()
        if kinds.intersection(structure.alternatives(info.annotation))
    ]
    return _json(examples | {fitting[0]: actual}) if len(fitting) == 1 else None


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
