"""Validates plain data with the models, and locates pydantic's errors in the document."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from operator import eq
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from netdesc.description import model_structure as structure
from netdesc.description.fixes import PathFix, find_fix
from netdesc.description.json.tree import Parts
from netdesc.description.json_pointer import lookup, members
from netdesc.description.models import Document
from netdesc.description.synonyms import Suggestion, names_in_netdesc, suggest_field

MAX_ERRORS = 200
"""Largest number of reported errors. A file with more is probably not a description."""

_MAX_FIRST_ENTRIES = 500  # number of entries of a list or object that are validated first

_MAX_WRONG_CHARACTERS = 1 << 20
"""Length of the largest document in which other errors are searched for after early ones.

Pydantic needs some hundred times the memory of what is wrong.
"""

_NAMES = frozenset(name for model in structure.model_paths() for name in structure.fields(model))
"""All field names of the language. Keys with these names are validated first, too."""


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


class InvalidDocumentError(ValueError):
    """Plain data are not a valid document.

    ``errors`` are the first ``MAX_ERRORS`` errors, without those that follow from others.
    ``hidden`` is the number of errors after these.
    """

    def __init__(self, errors: Sequence[LocatedError], hidden: int) -> None:
        super().__init__(f"{len(errors) + hidden} errors")
        self.errors, self.hidden = errors, hidden


def validate_document(data: Any) -> Document:
    """Converts plain data to a document. InvalidDocumentError if the data are not valid.

    Pydantic makes an object for every error, and a hostile file can have a million. So the
    beginnings of long lists and objects are validated first, and the rest only if these have few
    errors, and in a large document none.
    """
    errors: list[ErrorDetails] = []
    for part in (_first_entries(data), data):
        text = json.dumps(part)
        if errors and (len(errors) > MAX_ERRORS or len(text) > _MAX_WRONG_CHARACTERS):
            break
        try:
            document = Document.model_validate_json(text)
        except ValidationError as error:
            errors = error.errors(include_url=False)
        else:
            if part is data:
                return document
    located = [_locate(error, data) for error in errors[:MAX_ERRORS]]
    shown = _with_fixes(_without_consequences(located), data)
    raise InvalidDocumentError(shown, max(0, len(errors) - MAX_ERRORS))


def _first_entries(value: Any) -> Any:
    """Returns ``value`` itself if it has no long list or object, else a copy with fewer entries."""
    held = members(value)
    if not held:
        return value
    cut = {
        key: _first_entries(inner)
        for number, (key, inner) in enumerate(held.items())
        if number < _MAX_FIRST_ENTRIES or key in _NAMES
    }
    if len(cut) == len(held) and all(cut[key] is inner for key, inner in held.items()):
        return value
    return list(cut.values()) if isinstance(value, list) else cut


def _locate(details: ErrorDetails, data: Any) -> LocatedError:
    parts = _without_union_tags(details["loc"], data)
    on_key = parts[-1:] == ("[key]",)
    parts = parts[:-1] if on_key else parts
    error = LocatedError(details["type"], parts, details["input"], details.get("ctx", {}), on_key)
    if error.kind != "extra_forbidden":
        return error
    parent, key = parts[:-1], str(parts[-1])
    meant = suggest_field(key, structure.fields_at(parent, data))
    if meant is not None and meant.name not in members(lookup(data, parent)):
        return replace(error, suggestion=meant)
    # A field of another object that has the same name, or else one that other tools call so
    for names in ([key], names_in_netdesc(key) if meant is None else ()):
        fields = [path for path in structure.find_fields(names, data) if path[:-1] != parent]
        if fields and key != "type":  # many objects have a type
            return replace(error, home=max(fields, key=lambda path: [*map(eq, path, parent)]))
    return error


def _without_union_tags(location: Parts, data: Any) -> Parts:
    parts: Parts = ()
    annotations: list[Any] = []
    for part in location:
        tagged = [structure.tagged_members(union).get(part) for union in annotations]
        if any(tagged):  # the member of a union may be a union, with another tag
            annotations = [member for member in tagged if member is not None]
            continue
        parts = (*parts, part)
        annotations = structure.annotations_at(parts, data)
    return parts


def _without_consequences(errors: Sequence[LocatedError]) -> list[LocatedError]:
    """Drops the errors that follow from a misspelt key, an unknown ``type`` or an invalid item."""
    missing = {error.parts for error in errors if error.kind == "missing"}
    misspelt: set[Parts] = set()
    untyped: set[Parts] = set()
    for error in errors:
        if error.suggestion is not None:
            misspelt.add((*error.parts[:-1], error.suggestion.name))
        if error.home is not None:
            misspelt |= {error.home[:-1], error.home}
        if error.parts[-1:] == ("type",) and error.kind not in ("extra_forbidden", "missing"):
            untyped.add(error.parts[:-1])

    def is_consequence(error: LocatedError) -> bool:
        parent, key = error.parts[:-1], error.parts[-1:]
        if error.kind == "missing":
            is_of_list = isinstance(key[0], int) and (*parent, key[0] + 1) in missing
            return error.parts in misspelt or parent in untyped or is_of_list
        if error.kind in ("too_short", "too_long"):
            # Pydantic counts valid items only, so the length may be right.
            size = len(error.value)
            low, high = error.context.get("min_length", 0), error.context.get("max_length", size)
            return low <= size <= (high if high is not None else size)
        return parent in untyped and key != ("type",)

    return [error for error in errors if not is_consequence(error)]


def _with_fixes(errors: Sequence[LocatedError], data: Any) -> list[LocatedError]:
    """Returns the errors with their unambiguous fixes, except fixes that share a path."""
    fixes = [find_fix(error.kind, error.parts, error.value, data) for error in errors]
    counts = Counter(fix.path for fix in fixes if fix is not None)
    return [
        replace(error, fix=fix) if fix is not None and counts[fix.path] == 1 else error
        for error, fix in zip(errors, fixes, strict=True)
    ]
