"""Checking on in spite of faults: what is wrong is replaced, so that the rules can still look.

A document with a misspelt key and an unknown neuron has two faults, and both are to be shown at
once. So a misspelt key is taken as what it means, an unknown one is left out, and a wrong value is
replaced by the number that it spells, by its default or by a harmless stand-in. Where none of these
is at hand, the rules are left out. What the rules say about a section in which something was
replaced by a guess is not shown: it may be wrong. What comes to light behind a plain mistake is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from pydantic.fields import FieldInfo

from netdesc.description import model_structure as structure
from netdesc.description.diagnostics.diagnostic import Diagnostic
from netdesc.description.json.tree import Parts
from netdesc.description.json_pointer import lookup, pointer
from netdesc.description.model_validation import InvalidDocumentError, validate_document
from netdesc.description.models import Document
from netdesc.description.pydantic_errors import Fault, faults
from netdesc.description.source_map import SourceMap
from netdesc.description.wrong_type import owners

ROUNDS = 5
"""Mending a misspelt key brings its value to light, which may be wrong in turn."""


@dataclass(slots=True)
class Mended:
    """A document in which what is wrong was replaced; ``None`` where that cannot be."""

    document: Document | None = None
    data: Any = None
    guessed: list[Parts] = field(default_factory=list[Parts])
    """Where something was replaced by a guess."""
    renamed: dict[Parts, Parts] = field(default_factory=dict[Parts, Parts])
    """From the place of a value under its right name to where it stands in the file."""
    behind: list[Fault] = field(default_factory=list[Fault])
    """Faults that only came to light when others were mended, and do not come from a guess."""


def mended(data: Any, found: Sequence[Fault]) -> Mended:
    """Replace what is wrong until the document is one that the rules can look at."""
    data = json.loads(json.dumps(data))
    result = Mended(data=data)
    plain: list[Parts] = []
    told = {(fault.kind, fault.parts) for fault in found}
    for _ in range(ROUNDS):
        failed = [fault for fault in found if not _mend(data, fault, result, plain)]
        if len(failed) == len(found):
            break
        try:
            result.document = validate_document(data)
            break
        except InvalidDocumentError as error:
            found = faults(error, data)
        new = [fault for fault in found if (fault.kind, fault.parts) not in told]
        told.update((fault.kind, fault.parts) for fault in new)
        result.behind += [
            fault
            for fault in new
            if _is_within(fault.parts, plain) and not _is_within(fault.parts, result.guessed)
        ]
    return result


def _is_within(parts: Parts, sections: Iterable[Parts]) -> bool:
    return any(parts[: len(section)] == section for section in sections)


def without_doubtful(
    found: Iterable[Diagnostic], guessed: Iterable[Parts], source_map: SourceMap
) -> list[Diagnostic]:
    """The findings that cannot come from a guess: those about other sections."""
    guessed = list(guessed)
    sections: set[Parts] = {_section(parts) for parts in guessed}
    # Samples are measured against time and layers, filter and windows of the loss against time.
    if any(parts[0] in ("time", "input", "layers") for parts in sections):
        sections |= {("data",), ("loss",), ("classifier",)}
    # A loss learns from targets or from labels.
    if ("loss", "type") in guessed:
        sections |= {("data",), ("classifier",)}
    # Labels of single steps need a window.
    if any(parts in (("loss", "window_steps"), ("classifier",)) for parts in guessed):
        sections |= {("data",)}
    doubtful = tuple(pointer(source_map.path_in_text(section)) for section in sections)
    return [
        finding
        for finding in found
        if not any(f"{finding.pointer}/".startswith(f"{section}/") for section in doubtful)
        and not (finding.code == "ND201" and ("neurons",) in sections)  # nobody knows their names
    ]


def _section(parts: Parts) -> Parts:
    """The part of the document within which a guess may mislead the rules."""
    return parts[:2] if parts[:1] in (("neurons",), ("layers",)) else parts[:1]


def _mend(data: Any, fault: Fault, result: Mended, plain: list[Parts]) -> bool:
    """Replace what one fault is about, by what it plainly means or by a guess, if there is one."""
    parent, key = fault.parts[:-1], fault.parts[-1:]
    if fault.remedy is not None:
        if not fault.remedy.apply(data):
            return False
        plain.append(fault.remedy.section)
        if fault.remedy.act == "rename":
            result.renamed[fault.remedy.path] = (*fault.remedy.path[:-1], fault.remedy.old)
        return True
    holder = lookup(data, parent)
    if not key or fault.on_key or not isinstance(holder, dict):
        return False
    section, name = cast("dict[str, Any]", holder), str(key[0])
    if fault.kind == "extra_forbidden":
        best = fault.meaning
        value = section.pop(name)
        if best is not None:
            section[best.name] = value
            result.renamed[*parent, best.name] = fault.parts
        if best is not None and best.value:
            result.guessed.append((*parent, best.name))
        # What means nothing here is left out, and nothing is guessed: unless the type is wrong.
        if best is None and owners(fault, data):
            result.guessed += [fault.parts, (*parent, "type")]
        return True
    info = _field(parent, name, data)
    if info is None:
        return False
    extra = cast("dict[str, Any]", info.json_schema_extra or {})
    if not info.is_required():
        section.pop(name, None)
    elif "x-standin" in extra:
        section[name] = extra["x-standin"]
    else:
        return False
    result.guessed.append(fault.parts)
    return True


def _field(parent: Parts, name: str, data: Any) -> FieldInfo | None:
    model = structure.choose(structure.models_at(Document, parent, data), lookup(data, parent))
    return structure.fields(model).get(name) if model is not None else None
