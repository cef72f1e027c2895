"""What to write where a value has the wrong form: a number for a list, a word for an object."""

from __future__ import annotations

import json
import re
from typing import Any, cast

from netdesc.description import structure
from netdesc.description.json.scalars import plain_number
from netdesc.description.models import Document
from netdesc.description.plain import lookup
from netdesc.description.structure import Model
from netdesc.description.tree import Parts

_MOST = 60
"""Longer values are not repeated."""

_NAMED: dict[tuple[Parts, type], str] = {
    (("neurons",), list): 'write {"NAME": {…}}: its name stands before each neuron',
    (("layers",), dict): 'write [{"name": "NAME", …}, …]: a layer holds its name',
}
"""What others write as a list of names or by name, by its place and form."""


_KINDS: tuple[tuple[type, str], ...] = (
    (str, "a string"),
    (int, "an integer|a number"),
    (float, "a number"),
)


def to_write_instead(parts: Parts, expected: str, given: Any, data: Any) -> str:
    """A hint with the value in the form that is wanted, or with an example; empty without."""
    if (parts, type(given)) in _NAMED:
        return _NAMED[parts, type(given)]
    if isinstance(given, bool) and "a list" in expected:
        return _such_as(parts, data) if given else "write []"
    if given is None or isinstance(given, bool) or len(json.dumps(given)) > _MOST:
        return ""
    if isinstance(given, str) and "an object" in expected:
        made = _object(structure.models_at(Document, parts, data), given)
        return f"write {_json(made)}" if made is not None else ""
    if isinstance(given, str):
        number = _number(given) if re.search("number|integer", expected) else None
        if number is not None:
            return f"write {number}"
        if given.lower() in ("none", "nil", "null") and "null" in expected:
            return "write null"
        if given[:1] == "(" and given[-1:] == ")" and "a list" in expected:
            return f"write [{given[1:-1].strip().removesuffix(',')}]"
    if isinstance(given, str | int | float) and "a list" in expected:
        if not isinstance(given, str) or _takes_text((*parts, 0), given, data):
            return f"write {_json([given])}"
        number = _number(given)
        return f"write [{number}]" if number is not None else _such_as(parts, data)
    if isinstance(given, list) and "a list" not in expected:
        items = cast("list[Any]", given)
        if len(items) == 1 and any(
            isinstance(items[0], kind) and re.search(words, expected) for kind, words in _KINDS
        ):
            return f"write {_json(items[0])}"
    return _such_as(parts, data)


def _takes_text(parts: Parts, given: str, data: Any) -> bool:
    forms = structure.annotations_at(Document, parts, data)
    return any(
        str in structure.alternatives(form) or given in structure.literals(form) for form in forms
    )


def _such_as(parts: Parts, data: Any) -> str:
    example = _example(parts, data)
    return f"such as {_json(example)}" if isinstance(example, dict | list) else ""


def _number(given: str) -> str | None:
    """The number that a text means in another notation: 0.5 for .5 and for 0,5."""
    if re.fullmatch("-?[0-9]+,[0-9]+", given):
        given = given.replace(",", ".")
    return plain_number(given)


def _object(models: list[Model], given: str) -> dict[str, Any] | None:
    """The object that a word stands for: of this type, or with this as its only field."""
    for model in models:
        required = {
            name: info for name, info in structure.fields(model).items() if info.is_required()
        }
        if given in structure.type_names(model):
            extras = {
                name: cast("dict[str, Any]", info.json_schema_extra or {}).get("x-example")
                for name, info in required.items()
                if name != "type"
            }
            return {"type": given} | extras
        if len(required) == 1 and len(models) == 1 and not structure.type_names(model):
            (name, info), *_ = required.items()
            return {name: given} if info.annotation is str else None
    return None


def _example(parts: Parts, data: Any) -> Any:
    """What a field may hold, if the language gives an example of it."""
    model = structure.choose(
        structure.models_at(Document, parts[:-1], data), lookup(data, parts[:-1])
    )
    info = structure.fields(model).get(str(parts[-1])) if model is not None and parts else None
    extra = cast("dict[str, Any]", info.json_schema_extra or {}) if info is not None else {}
    return extra.get("x-example")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
