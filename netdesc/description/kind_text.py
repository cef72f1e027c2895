"""Explains an object by its type, such as a layer or a loss: its fields and what they mean."""

from __future__ import annotations

import functools
import json
import textwrap
from collections.abc import Iterator
from typing import Any

from netdesc.description import model_structure as structure
from netdesc.description.model_structure import Model
from netdesc.neurons.models import NEURONS


@functools.cache
def kinds() -> dict[str, list[Model]]:
    """Maps each value of a field ``type`` to the models that have it; without neurons."""
    found: dict[str, list[Model]] = {}
    for model in structure.model_paths():
        for name in structure.type_names(model):
            if name not in NEURONS:
                found.setdefault(name, []).append(model)
    return found


def kind_record(kind: str) -> dict[str, Any]:
    """Returns what is known of a kind, as an object for JSON."""
    return {
        "type": kind,
        "objects": [
            {
                "where": structure.model_paths()[model],
                "text": structure.doc_line(model),
                "fields": list(_fields(model)),
            }
            for model in kinds()[kind]
        ],
    }


def _fields(model: Model) -> Iterator[dict[str, Any]]:
    for name, info in structure.fields(model).items():
        if name != "type":
            extra = structure.extra(info)
            record = {"name": name, "text": extra["x-text"], "unit": extra.get("x-unit", "")}
            value = {} if info.is_required() else {"default": structure.default(info)}
            yield record | value | {"example": structure.example(info)}


def kind_text(kind: str, width: int = 80) -> str:
    """Returns the objects of a type, each with its fields, as text of lines up to ``width``."""
    paragraphs: list[str] = []
    for each in kind_record(kind)["objects"]:
        paragraphs.append(f"{kind}: an object of {' and '.join(each['where'])}")
        paragraphs.append(textwrap.fill(each["text"], width))
        for entry in each["fields"]:
            unit = {"": "", "1": ", dimensionless"}.get(entry["unit"], f", in {entry['unit']}")
            value = "required"
            if "default" in entry:
                value = f"default {json.dumps(entry['default'], ensure_ascii=False)}"
            text = textwrap.fill(entry["text"], width, initial_indent="  ", subsequent_indent="  ")
            paragraphs.append(f"{entry['name']}: {value}{unit}\n{text}")
    return "\n\n".join(paragraphs)
