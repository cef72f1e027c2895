"""Checking on in spite of faults: what is wrong is replaced, so that the rules can still look.

A document with a misspelt key and an unknown neuron has two faults, and both are to be shown at
once. So a misspelt key is taken as what it means, an unknown one is left out, and a wrong value is
replaced by the number that it spells, by its default or by a harmless stand-in. Where none of these
is at hand, the rules are left out. What the rules say about a section in which something was
replaced by a guess is not shown: it may be wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal, cast

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from netdesc.description import structure
from netdesc.description.diagnostic import Diagnostic
from netdesc.description.models import Document
from netdesc.description.plain import lookup, pointer
from netdesc.description.shape_findings import Fault, faults, meant
from netdesc.description.tree import Parts

ROUNDS = 3
"""Mending a misspelt key brings its value to light, which may be wrong in turn."""


def mended(data: Any, found: Sequence[Fault]) -> tuple[Document | None, list[Parts]]:
    """A document in which what is wrong was replaced, if that can be, and where it was."""
    data = json.loads(json.dumps(data))
    touched: list[Parts] = []
    for _ in range(ROUNDS):
        for fault in found:
            how = _mend(data, fault)
            if how == "not":
                return None, touched
            if how == "by guess":
                touched.append(fault.parts)
        try:
            return Document.model_validate_json(json.dumps(data)), touched
        except ValidationError as error:
            found = faults(error, data)
    return None, touched


def without_lost(found: Iterable[Fault], doubtful: Iterable[Parts]) -> list[Fault]:
    """The faults without fields that are missing only because the text is damaged there."""
    damaged = set(doubtful)
    return [fault for fault in found if fault.kind != "missing" or fault.parts[:-1] not in damaged]


def without_doubtful(found: Iterable[Diagnostic], touched: Iterable[Parts]) -> list[Diagnostic]:
    """The findings that cannot come from a guess: those about other sections."""
    sections = {pointer(_section(parts)) for parts in touched}
    # Samples are measured against time and layers, filter and windows of the loss against time.
    if any(parts[0] in ("time", "input", "layers") for parts in touched):
        sections |= {"/data", "/loss", "/classifier"}
    # Labels of single steps need a window.
    if any(parts in (("loss", "window_steps"), ("classifier",)) for parts in touched):
        sections |= {"/data"}
    return [
        finding
        for finding in found
        if pointer(_section(tuple(finding.pointer.split("/")[1:]))) not in sections
    ]


def _section(parts: Parts) -> Parts:
    """The part of the document within which a guess may mislead the rules."""
    return parts[:2] if parts[:1] in (("neurons",), ("layers",)) else parts[:1]


def _mend(data: Any, fault: Fault) -> Literal["plainly", "by guess", "not"]:
    """Replace what one fault is about, by what it plainly means or by a guess, if there is one."""
    parent, key = fault.parts[:-1], fault.parts[-1:]
    holder = lookup(data, parent)
    if not key or fault.on_key or not isinstance(holder, dict):
        return "not"
    section, name = cast("dict[str, Any]", holder), str(key[0])
    if fault.kind == "extra_forbidden":
        best = meant(fault, data)
        value = section.pop(name)
        if best is not None:
            section[best.name] = value
        return "by guess" if best is None or best.value else "plainly"
    info = _field(parent, name, data)
    if info is None:
        return "not"
    number = _as_number(fault.value) if fault.kind != "missing" else None
    extra = cast("dict[str, Any]", info.json_schema_extra or {})
    if number is not None and fault.kind in ("int_type", "float_type"):
        section[name] = number
        return "plainly"
    if not info.is_required():
        section.pop(name, None)
    elif "x-standin" in extra:
        section[name] = extra["x-standin"]
    else:
        return "not"
    return "by guess"


def _field(parent: Parts, name: str, data: Any) -> FieldInfo | None:
    model = structure.choose(structure.models_at(Document, parent, data), lookup(data, parent))
    return structure.fields(model).get(name) if model is not None else None


def _as_number(value: Any) -> int | float | None:
    """The number that a value plainly means: "200" or 200.0 for 200."""
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,15})?", value):
        value = float(value)
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    return None
