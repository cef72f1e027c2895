"""What pydantic finds wrong, at paths of the document, with what is probably meant instead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from netdesc.description import model_structure as structure
from netdesc.description.fixes import PathFix, find_fix
from netdesc.description.json.tree import Parts
from netdesc.description.json_pointer import lookup, members
from netdesc.description.model_validation import MAX_ERRORS, InvalidDocumentError
from netdesc.description.models import Document
from netdesc.description.synonyms import Suggestion, names_in_netdesc, suggest_field

_OF_LENGTH = ("too_short", "too_long")


@dataclass(frozen=True, slots=True)
class Fault:
    """One error of pydantic, at a path of the document.

    ``meaning`` is the field that an unknown key probably means: one that is not there yet.
    ``home`` is the field that the key is, or means, in an object beside or around its own.
    ``remedy`` is what certainly mends the fault.
    """

    kind: str
    parts: Parts
    value: Any
    context: Mapping[str, Any]
    on_key: bool = False
    meaning: Suggestion | None = None
    home: Parts | None = None
    remedy: PathFix | None = None


def faults(error: InvalidDocumentError, data: Any) -> list[Fault]:
    """Pydantic's errors at paths of the document, without those that only follow from others."""
    found: list[Fault] = []
    for each in error.errors[:MAX_ERRORS]:
        parts = _without_tags(each["loc"], data)
        on_key = parts[-1:] == ("[key]",)
        parts = parts[:-1] if on_key else parts
        # Of what is too long, only the beginning was read.
        value = lookup(data, parts) if each["type"] in _OF_LENGTH else each["input"]
        fault = Fault(each["type"], parts, value, each.get("ctx", {}), on_key)
        if fault.kind == "extra_forbidden":
            meaning = _meant(parts, data)
            home = _home(parts, data) if meaning is None else None
            fault = replace(fault, meaning=meaning, home=home)
        found.append(fault)
    return _with_remedies(_without_echoes(found), data)


def known_fields(parts: Parts, data: Any) -> dict[str, Any]:
    """The fields that the object at a path may have."""
    candidates = structure.models_at(Document, parts, data)
    chosen = structure.choose(candidates, lookup(data, parts))
    return dict(structure.fields(chosen)) if chosen is not None else {}


def _without_tags(location: Parts, data: Any) -> Parts:
    """Pydantic's place of an error without the branches of unions that it names on the way."""
    parts: Parts = ()
    at_branch = False
    for part in location:
        if at_branch:
            at_branch = False
            continue
        parts = (*parts, part)
        annotations = structure.annotations_at(Document, parts, data)
        at_branch = any(structure.has_tags(annotation) for annotation in annotations)
    return parts


def _meant(parts: Parts, data: Any) -> Suggestion | None:
    present = members(lookup(data, parts[:-1]))
    known = known_fields(parts[:-1], data)
    return suggest_field(str(parts[-1]), [name for name in known if name not in present])


def _home(parts: Parts, data: Any) -> Parts | None:
    """Where an unknown key belongs, in an object beside or around its own, there or not yet.

    That is under its name, or else under the one that it has here.
    """
    key = str(parts[-1])
    return _beside(parts, [key], data) or _beside(parts, names_in_netdesc(key), data)


def _beside(parts: Parts, names: Sequence[str], data: Any) -> Parts | None:
    parent = parts[:-1]
    for length in range(len(parent), -1, -1):
        holder = parent[:length]
        inner = ((*holder, name) for name in known_fields(holder, data))
        for place in (holder, *inner):
            known = known_fields(place, data) if place != parent else {}
            found = next((name for name in names if name in known), None)
            if found is not None:
                return (*place, found) if not isinstance(lookup(data, place), list) else None
    return None


def _without_echoes(found: Sequence[Fault]) -> list[Fault]:
    """Drop what a misspelt name, an unknown ``type`` or an invalid item already explains."""
    misspelt = {
        (*fault.parts[:-1], fault.meaning.name) for fault in found if fault.meaning is not None
    }
    for fault in found:
        if fault.home is not None:
            misspelt |= {fault.home[:-1], fault.home}
    untyped = {
        fault.parts[:-1]
        for fault in found
        if fault.parts[-1:] == ("type",) and fault.kind not in ("extra_forbidden", "missing")
    }

    def is_echo(fault: Fault) -> bool:
        if fault.kind == "missing" and fault.parts in misspelt:
            return True
        if fault.kind in _OF_LENGTH:
            # Pydantic counts valid items only.
            size = len(fault.value)
            low, high = fault.context.get("min_length", 0), fault.context.get("max_length", size)
            return low <= size <= (high if high is not None else size)
        return fault.parts[:-1] in untyped and fault.parts[-1] != "type"

    return [fault for fault in found if not is_echo(fault)]


def _with_remedies(found: Sequence[Fault], data: Any) -> list[Fault]:
    """The faults with what mends them, where no two of them would write the same key."""
    remedies = [find_fix(fault.kind, fault.parts, fault.value, data) for fault in found]
    written = Counter(each.path for each in remedies if each is not None)
    return [
        replace(fault, remedy=each) if each is not None and written[each.path] == 1 else fault
        for fault, each in zip(found, remedies, strict=True)
    ]
