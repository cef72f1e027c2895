"""The JSON Schema of the language (draft-07), for editors.

The schema is written so that an editor shows one clear error for one typo. A choice by ``type`` is
an ``enum`` with an ``if``/``then`` for each type, because ``oneOf`` reports every branch that
failed. Required fields are checked only if all keys of the object are known. Otherwise a misspelt
key would be reported twice, as unknown and as missing. ``doNotSuggest``, ``enumDescriptions`` and
the ``else`` with descriptions are for completion in editors; other tools ignore them.
"""

import json
from collections.abc import Sequence
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from netdesc.description import model_structure as structure
from netdesc.description.model_structure import Model
from netdesc.description.models import Document
from netdesc.resources import REPOSITORY
from netdesc.sections import Section

Schema = dict[str, Any]

_PLAIN = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
_LIMITS = {"gt": "exclusiveMinimum", "ge": "minimum", "lt": "exclusiveMaximum", "le": "maximum"}


def json_schema() -> Schema:
    """Returns the JSON Schema of a document as plain data."""
    definitions: dict[str, Schema] = {}
    whole = _model(Document, definitions)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": f"{REPOSITORY}/raw/main/schemas/network.schema.json",
        "title": "netdesc network",
        **whole,
        "definitions": dict(sorted(definitions.items())),
    }


def schema_text() -> str:
    """Returns the content of ``schemas/network.schema.json``."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def _model(model: Model, definitions: dict[str, Schema]) -> Schema:
    """Returns the schema of an object, and adds the objects in it to ``definitions``."""
    fields = structure.fields(model)
    schema: Schema = {
        "type": "object",
        "description": structure.doc_line(model),
        "properties": {name: _field(info, definitions) for name, info in fields.items()},
        "additionalProperties": False,
    }
    required = [name for name, info in fields.items() if info.is_required()]
    if required:
        # Without doNotSuggest, an editor offers these names twice, once without description.
        schema["if"] = {"propertyNames": {"enum": list(fields), "doNotSuggest": True}}
        schema["then"] = {"required": required}
    return schema


def _field(info: FieldInfo, definitions: dict[str, Schema]) -> Schema:
    schema = _annotation(info.annotation, definitions) | _limits(info.metadata, info.annotation)
    described: Schema = {"description": info.description}
    example = structure.example(info)
    if not info.is_required():
        described["default"] = structure.default(info)
    elif example is not None and not structure.literals(info.annotation):
        described["examples"] = [example]
    return described | schema


def _annotation(annotation: Any, definitions: dict[str, Schema]) -> Schema:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _annotation(arguments[0], definitions) | _limits(arguments[1:], arguments[0])
    if origin in (Union, UnionType):
        return _union(list(structure.branches(annotation)), definitions)
    if origin is Literal:
        return {"enum": list(arguments)}
    if annotation is Any:
        return {}
    if origin is dict:
        key, value = (_annotation(each, definitions) for each in arguments)
        schema: Schema = {"type": "object", "additionalProperties": value}
        return schema | ({"propertyNames": key} if key != {"type": "string"} else {})
    if origin is tuple:
        items: Schema = {"type": "array", "items": _annotation(arguments[0], definitions)}
        if arguments[-1] is Ellipsis:
            return items
        # All items of a fixed-length list have the same type, so one "items" is enough.
        assert len(set(arguments)) == 1
        return items | {"minItems": len(arguments), "maxItems": len(arguments)}
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return _objects([annotation], definitions)
    return {"type": _PLAIN[annotation]}


def _union(members: list[Any], definitions: dict[str, Schema]) -> Schema:
    """Returns the schema of a union: a choice by JSON type; objects are chosen by ``type``."""
    models = [model for member in members for model in structure.models(member)]
    others = [_annotation(each, definitions) for each in members if not structure.models(each)]
    if models and not others:
        return _objects(models, definitions)
    values = [value for schema in others for value in schema.get("enum", ())]
    is_plain = any(schema.get("type") not in (None, "null") for schema in others)
    if values and not models and not is_plain:
        nullable = any(schema.get("type") == "null" for schema in others)
        return {"enum": [*values, None] if nullable else values}
    if models:
        others.append({"type": "object"} | _objects(models, definitions))
    others = [schema if "type" in schema else {"type": "string"} | schema for schema in others]
    kinds = [schema["type"] for schema in others]
    choices = [
        {"if": {"type": schema["type"]}, "then": rest}
        for schema in others
        if (rest := {key: value for key, value in schema.items() if key != "type"})
    ]
    return {"type": kinds} | ({"allOf": choices} if choices else {})


def _objects(models: list[Model], definitions: dict[str, Schema]) -> Schema:
    """Returns the schema of one object, or of a choice of objects by ``type``."""
    for model in models:
        if model.__name__ not in definitions:
            definitions[model.__name__] = _model(model, definitions)
    names = {name: model for model in models for name in structure.type_names(model)}
    if not names:
        # Draft-07 ignores other keys beside a "$ref", such as the field's description.
        return {"allOf": [{"$ref": _reference(models[0])}]}
    meanings = {name: structure.doc_line(model) for name, model in names.items()}
    types = {
        "enum": list(names),
        "enumDescriptions": list(meanings.values()),
        "description": "\n".join(f"{name}: {meaning}" for name, meaning in meanings.items()),
    }
    return {
        "type": "object",
        "properties": {"type": types},
        "required": ["type"],
        # As long as there is no type, an editor offers the fields of all types.
        "if": {"required": ["type"]},
        "else": {"properties": _described(models)},
        "allOf": [
            {
                "if": {"required": ["type"], "properties": {"type": {"const": name}}},
                "then": {"$ref": _reference(model)},
            }
            for name, model in names.items()
        ],
    }


def _described(models: list[Model]) -> Schema:
    """Returns descriptions and examples of the models' fields, by the first that has the field."""
    return {
        name: {"description": info.description, "examples": [structure.example(info)]}
        for model in reversed(models)
        for name, info in structure.fields(model).items()
        if name != "type"
    }


def _reference(model: Model) -> str:
    return f"#/definitions/{model.__name__}"


def _limits(metadata: Sequence[Any], annotation: Any) -> Schema:
    things = {tuple: "Items", dict: "Properties"}.get(get_origin(annotation), "Length")
    return {
        _LIMITS.get(name, name.replace("_length", things)): value
        for name, value in structure.limits(metadata)
    }
