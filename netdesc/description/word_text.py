"""Explains a word of a document: a type, such as of a layer, a section, or a field."""

import functools
import json
import textwrap
from collections.abc import Sequence
from typing import Any

from netdesc.description import model_structure as structure
from netdesc.description.model_structure import Model
from netdesc.neurons.models import NEURONS


@functools.cache
def kinds() -> dict[str, list[Model]]:
    """Maps each value of a field ``type`` to the models that have it, but for neurons."""
    found: dict[str, list[Model]] = {}
    for model in structure.model_paths():
        for name in structure.type_names(model):
            if NEURONS.get(name) is not model:
                found.setdefault(name, []).append(model)
    return found


@functools.cache
def sections() -> dict[str, list[Model]]:
    """Maps the name of each section to the models that may stand there.

    If a section of the document itself has the name, deeper ones are left out.
    """
    found: dict[str, dict[bool, list[Model]]] = {}
    for model, paths in structure.model_paths().items():
        for path in paths:
            *parents, name = path.removesuffix("[]").removesuffix(".NAME").split(".")
            models = found.setdefault(name, {}).setdefault(bool(parents), [])
            if model not in models:
                models.append(model)
    return {name: by_depth[min(by_depth)] for name, by_depth in found.items() if name}


@functools.cache
def fields() -> dict[str, list[dict[str, Any]]]:
    """Maps each field's name to its meanings, each with the objects of which it is a field."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for model, paths in structure.model_paths().items():
        for entry in field_records(model):
            meanings = found.setdefault(entry["name"], {})
            of = meanings.setdefault(entry["text"], entry | {"of": []})["of"]
            of += [each for each in structure.type_names(model) or paths if each not in of]
    return {name: list(meanings.values()) for name, meanings in found.items()}


def words() -> list[str]:
    """Returns all words of documents: types but neurons, sections, and fields."""
    return [*dict.fromkeys([*kinds(), *sections(), *fields()])]


def word_record(word: str) -> dict[str, Any]:
    """Returns what is known of a type, a section or a field, as an object for JSON."""
    return {
        "type": word,
        "objects": [_object_record(model) for model in kinds().get(word, ())],
        "section": [_object_record(model) for model in sections().get(word, ())],
        "fields": fields().get(word, []),
    }


def _object_record(model: Model) -> dict[str, Any]:
    return {
        "where": structure.model_paths()[model],
        "types": structure.type_names(model),
        "text": structure.doc_line(model),
        "fields": field_records(model),
    }


def field_records(model: Model) -> list[dict[str, Any]]:
    """Returns what is known of each field of an object but its type."""
    records: list[dict[str, Any]] = []
    for name, info in structure.fields(model).items():
        if name != "type":
            extra = structure.extra(info)
            record = {"name": name, "text": extra["x-text"], "unit": extra.get("x-unit", "")}
            value = {} if info.is_required() else {"default": structure.default(info)}
            records.append(record | value | {"example": structure.example(info)})
    return records


def word_text(word: str, width: int = 80) -> str:
    """Returns the fields, the types or the objects of a word, as text of lines up to ``width``.

    Of a section that has several types, there is a line for each type.
    """
    record = word_record(word)
    paragraphs = [field_text(each, width, of=each["of"]) for each in record["fields"]]
    for each in record["objects"]:
        paragraphs.append(f"{word}: an object of {' and '.join(each['where'])}")
        paragraphs += _object_paragraphs(each, width)
    section = record["section"]
    if len(section) > 1 and all(each["types"] for each in section):
        wrapper = textwrap.TextWrapper(width, initial_indent="  ", subsequent_indent="    ")
        lines = [f'"type" of {word}, which netdesc explain knows:']
        for each in section:
            lines += wrapper.wrap(f"{', '.join(each['types'])}: {each['text']}")
        return "\n\n".join([*paragraphs, "\n".join(lines)])
    for each in section:
        paragraphs += [f"{' and '.join(each['where'])}: object", *_object_paragraphs(each, width)]
    return "\n\n".join(paragraphs)


def _object_paragraphs(record: dict[str, Any], width: int) -> list[str]:
    text = textwrap.fill(record["text"], width)
    return [text, *(field_text(each, width) for each in record["fields"])]


def field_text(record: dict[str, Any], width: int, of: Sequence[str] = ()) -> str:
    """Returns a field with its default, unit and meaning, and the objects that have it."""
    unit = record["unit"]
    is_name = not unit.startswith(("of ", "share "))
    unit = {"": "", "1": ", dimensionless"}.get(unit, f", in {unit}" if is_name else f", {unit}")
    value = "required"
    if "default" in record:
        value = f"default {json.dumps(record['default'], ensure_ascii=False)}"
    place = f" of {', '.join(of)}" if any(of) else ""
    head = textwrap.fill(f"{record['name']}{place}: {value}{unit}", width)
    text = textwrap.fill(record["text"], width, initial_indent="  ", subsequent_indent="  ")
    return f"{head}\n{text}"
