"""Error recovery: repairs an invalid document so that ``description.rules`` can check it, too.

A document with a misspelt key and an unknown neuron has two errors, and the user wants to see both.
A misspelt key gets its correct name, an unknown key is dropped, and a wrong value is replaced by
the number that it spells, by the default, or by the field's placeholder (see ``sections.field``).
If none of this is possible, the rules are skipped. Diagnostics about a section with a guessed value
are dropped, because they may be wrong. Errors that appear after an unambiguous fix are reported.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from netdesc.description import model_structure as structure
from netdesc.description.diagnostics.diagnostic import Diagnostic
from netdesc.description.json.tree import Parts
from netdesc.description.json_pointer import lookup, pointer
from netdesc.description.model_validation import InvalidDocumentError, validate_document
from netdesc.description.models import Document
from netdesc.description.pydantic_errors import LocatedError, locate_errors, types_with_field
from netdesc.description.source_map import SourceMap

_MAX_ROUNDS = 5
"""Largest number of repair rounds. A value is checked only after its key is repaired."""


@dataclass(slots=True)
class RepairedDocument:
    """The result of error recovery. ``document`` is ``None`` if the data cannot be repaired."""

    document: Document | None = None
    data: Any = None
    guessed: list[Parts] = field(default_factory=list[Parts])
    """Paths of values that were replaced by a guess."""
    renamed: dict[Parts, Parts] = field(default_factory=dict[Parts, Parts])
    """Renamed keys: the path with the corrected key -> the path in the file."""
    revealed: list[LocatedError] = field(default_factory=list[LocatedError])
    """Errors that appeared after unambiguous fixes and are not inside guessed values."""


def repair_document(data: Any, errors: Sequence[LocatedError]) -> RepairedDocument:
    """Repairs a copy of the data until it is a valid document or nothing more can be repaired.

    ``errors`` are the errors of ``data``.
    """
    data = json.loads(json.dumps(data))
    result = RepairedDocument(data=data)
    fixed_sections: list[Parts] = []
    reported = {(error.kind, error.parts) for error in errors}
    for _ in range(_MAX_ROUNDS):
        failed = [error for error in errors if not _repair(data, error, result, fixed_sections)]
        if len(failed) == len(errors):
            break
        try:
            result.document = validate_document(data)
            break
        except InvalidDocumentError as invalid:
            errors = locate_errors(invalid, data)
        new = [error for error in errors if (error.kind, error.parts) not in reported]
        reported.update((error.kind, error.parts) for error in new)
        result.revealed += [
            error
            for error in new
            if _is_within(error.parts, fixed_sections)
            and not _is_within(error.parts, result.guessed)
        ]
    return result


def _is_within(parts: Parts, sections: Iterable[Parts]) -> bool:
    return any(parts[: len(section)] == section for section in sections)


def drop_unreliable(
    found: Iterable[Diagnostic], guessed: Iterable[Parts], source_map: SourceMap
) -> list[Diagnostic]:
    """Returns ``found`` without the diagnostics that the values at ``guessed`` may have caused."""
    guessed = list(guessed)
    sections: set[Parts] = {_section(parts) for parts in guessed}
    # Checks of samples use time and layers; checks of the loss's filter and windows use time.
    if any(parts[0] in ("time", "input", "layers") for parts in sections):
        sections |= {("data",), ("loss",), ("classifier",)}
    # The type of the loss decides whether samples need targets or labels.
    if not {("loss",), ("loss", "type")}.isdisjoint(guessed):
        sections |= {("data",), ("classifier",)}
    # Labels for single steps are allowed only with a window.
    if any(parts in (("loss", "window_steps"), ("classifier",)) for parts in guessed):
        sections |= {("data",)}
    unreliable = tuple(pointer(source_map.path_in_text(section)) for section in sections)
    return [
        diagnostic
        for diagnostic in found
        if not any(f"{diagnostic.pointer}/".startswith(f"{section}/") for section in unreliable)
        # If neurons are guessed, their names are not known.
        and not (diagnostic.code == "ND201" and ("neurons",) in sections)
    ]


def _section(parts: Parts) -> Parts:
    """Returns the path of the neuron, the layer or the top-level field that contains a value."""
    return parts[:2] if parts[:1] in (("neurons",), ("layers",)) else parts[:1]


def _repair(
    data: Any, error: LocatedError, result: RepairedDocument, fixed_sections: list[Parts]
) -> bool:
    """Repairs one error in the data, by its unambiguous fix or else by a guess.

    Returns False if no repair is possible. Records guesses and renamed keys in ``result``, and the
    paths of fixes in ``fixed_sections``.
    """
    parent, key = error.parts[:-1], error.parts[-1:]
    if error.fix is not None:
        if not error.fix.apply(data):
            return False
        fixed_sections.append(error.fix.section)
        if error.fix.act == "rename":
            result.renamed[error.fix.path] = (*error.fix.path[:-1], error.fix.old)
        return True
    holder = lookup(data, parent)
    if not key or error.on_key or not isinstance(holder, dict):
        return False
    section, name = cast("dict[str, Any]", holder), str(key[0])
    if error.kind == "extra_forbidden":
        best = error.suggestion
        value = section.pop(name)
        if best is not None:
            section[best.name] = value
            result.renamed[*parent, best.name] = error.parts
        if best is not None and best.value:
            result.guessed.append((*parent, best.name))
        # Dropping an unknown key is a guess only if the object's type may be wrong.
        if best is None and types_with_field(error, data):
            result.guessed += [error.parts, (*parent, "type")]
        return True
    info = structure.field_at(error.parts, data)
    if info is not None and not info.is_required():
        section.pop(name, None)
    elif info is not None and "x-placeholder" in structure.extra(info):
        section[name] = structure.extra(info)["x-placeholder"]
    else:
        return False
    result.guessed.append(error.parts)
    return True
