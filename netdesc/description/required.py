"""What to write for a field that must be given and is not."""

from __future__ import annotations

import json
from typing import Any, cast

from pydantic.fields import FieldInfo

from netdesc.description import model_structure as structure


def to_write(name: str, info: FieldInfo) -> tuple[str, tuple[str, ...]]:
    """A hint with an example, if there is one, and notes that say what the field is."""
    extra = cast("dict[str, Any]", info.json_schema_extra or {})
    values = structure.literals(info.annotation)
    example = extra.get("x-example", values[0] if len(values) == 1 else None)
    hint = f'write "{name}": {json.dumps(example)}' if example is not None else ""
    if values:
        return hint, ()
    sentence = (info.description or "").partition(". ")[0].rstrip(".")
    unit = extra.get("x-unit", "1")
    about = f"{name}: {sentence}" + (f"; unit: {unit}" if unit != "1" else "")
    return hint, (about,)
