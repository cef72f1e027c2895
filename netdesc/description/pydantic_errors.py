"""Locates pydantic's errors at paths of the document, and adds suggestions and fixes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from operator import eq
from typing import Any

from netdesc.description import model_structure as structure
from netdesc.description.fixes import PathFix, find_fix
from netdesc.description.json.tree import Parts
from netdesc.description.json_pointer import lookup, members
from netdesc.description.model_validation import MAX_ERRORS, InvalidDocumentError
from netdesc.description.synonyms import Suggestion, names_in_netdesc, suggest_field

_LENGTH_KINDS = ("too_short", "too_long")


@dataclass(frozen=True, slots=True)
class LocatedError:
    """One error of pydantic, at a path of the document."""

    kind: str
    """Pydantic's name of the error, such as ``int_type``."""
    parts: Parts
    value: Any
    context: Mapping[str, Any]
    on_key: bool = False
    suggestion: Suggestion | None = None
    """The field that an unknown key probably means, if the object does not have it yet."""
    home: Parts | None = None
    """The path of the field in another object that an unknown key probably means."""
    fix: PathFix | None = None
    """The fix of the error if it is unambiguous."""


def locate_errors(invalid: InvalidDocumentError, data: Any) -> list[LocatedError]:
    """Returns pydantic's errors with their paths, without those that follow from others."""
    found: list[LocatedError] = []
    for each in invalid.errors[:MAX_ERRORS]:
        parts = _without_union_tags(each["loc"], data)
        on_key = parts[-1:] == ("[key]",)
        parts = parts[:-1] if on_key else parts
        # Pydantic saw only the beginning of a long value, because validation cuts it.
        value = lookup(data, parts) if each["type"] in _LENGTH_KINDS else each["input"]
        error = LocatedError(each["type"], parts, value, each.get("ctx", {}), on_key)
        if error.kind == "extra_forbidden":
            suggestion = _suggest_missing_field(parts, data)
            home = _find_home(parts, data) if suggestion is None else None
            error = replace(error, suggestion=suggestion, home=home)
        found.append(error)
    return _with_fixes(_without_consequences(found), data)


def types_with_field(error: LocatedError, data: Any) -> list[str]:
    """Returns the values of ``type`` with which the object could have its unknown field."""
    return [
        name
        for model in structure.models_at(error.parts[:-1], data)
        if str(error.parts[-1]) in structure.fields(model)
        for name in structure.type_names(model)
    ]


def _without_union_tags(location: Parts, data: Any) -> Parts:
    """Removes the tags of unions from pydantic's location of an error."""
    parts: Parts = ()
    annotations: list[Any] = []
    for part in location:
        tagged = [structure.tagged_members(each).get(part) for each in annotations]
        if any(tagged):  # the member of a union may be a union, with another tag
            annotations = [each for each in tagged if each is not None]
            continue
        parts = (*parts, part)
        annotations = structure.annotations_at(parts, data)
    return parts


def _suggest_missing_field(parts: Parts, data: Any) -> Suggestion | None:
    """Returns the field that an unknown key probably means, if the object lacks that field."""
    meant = suggest_field(str(parts[-1]), structure.fields_at(parts[:-1], data))
    return None if meant is None or meant.name in members(lookup(data, parts[:-1])) else meant


def _find_home(parts: Parts, data: Any) -> Parts | None:
    """Returns the path of a field in another object that an unknown key probably means.

    This is a field with the name of the key. If there is none, and the key is no other name of a
    field of its own object, it is a field that other tools call so. Of several, the closest is
    returned. The document may lack its object. None for ``type``, which many objects have.
    """
    key, parent = str(parts[-1]), parts[:-1]
    if key == "type":
        return None
    is_of_parent = suggest_field(key, structure.fields_at(parent, data)) is not None
    for names in ([key], () if is_of_parent else names_in_netdesc(key)):
        found = [each for each in structure.find_fields(names, data) if each[:-1] != parent]
        if found:
            return max(found, key=lambda each: [*map(eq, each, parent)])
    return None


def _without_consequences(errors: Sequence[LocatedError]) -> list[LocatedError]:
    """Drops the errors that follow from a misspelt key, an unknown ``type`` or an invalid item."""
    misspelt = {
        (*error.parts[:-1], error.suggestion.name)
        for error in errors
        if error.suggestion is not None
    }
    for error in errors:
        if error.home is not None:
            misspelt |= {error.home[:-1], error.home}
    untyped = {
        error.parts[:-1]
        for error in errors
        if error.parts[-1:] == ("type",) and error.kind not in ("extra_forbidden", "missing")
    }

    def is_consequence(error: LocatedError) -> bool:
        if error.kind == "missing" and error.parts in misspelt:
            return True
        if error.kind in _LENGTH_KINDS:
            # Pydantic counts valid items only, so the length may be right.
            size = len(error.value)
            low, high = error.context.get("min_length", 0), error.context.get("max_length", size)
            return low <= size <= (high if high is not None else size)
        return error.parts[:-1] in untyped and error.parts[-1] != "type"

    return [error for error in errors if not is_consequence(error)]


def _with_fixes(errors: Sequence[LocatedError], data: Any) -> list[LocatedError]:
    """Returns the errors with their unambiguous fixes, except fixes that share a path."""
    fixes = [find_fix(error.kind, error.parts, error.value, data) for error in errors]
    counts = Counter(each.path for each in fixes if each is not None)
    return [
        replace(error, fix=each) if each is not None and counts[each.path] == 1 else error
        for error, each in zip(errors, fixes, strict=True)
    ]
