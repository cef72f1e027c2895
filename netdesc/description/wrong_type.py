"""Reports an object with several fields of another ``type`` in a single diagnostic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from netdesc.description import model_structure as structure
from netdesc.description.diagnostics.diagnostic import Diagnostic
from netdesc.description.json.tree import Parts
from netdesc.description.json_pointer import lookup
from netdesc.description.models import Document
from netdesc.description.pydantic_errors import LocatedError
from netdesc.description.source_map import RelatedPath, SourceMap


@dataclass(frozen=True, slots=True)
class WrongType:
    """An object whose ``type`` is probably wrong: ``fields`` belong to ``probable_type``."""

    parts: Parts
    probable_type: str
    fields: tuple[str, ...]
    missing: tuple[str, ...]
    """Fields that the object lacks although its present type requires them."""

    def explains(self, error: LocatedError) -> bool:
        """Returns True if the error follows from the wrong type."""
        names = (*self.fields, *self.missing)
        is_field_error = error.kind in ("extra_forbidden", "missing")
        return is_field_error and error.parts[:-1] == self.parts and error.parts[-1] in names

    def diagnostic(self, source_map: SourceMap) -> Diagnostic:
        """Returns ND105 at the ``type``, with the fields as related places."""
        kind: Any = lookup(source_map.data, (*self.parts, "type"))
        subject = source_map.subject(self.parts)
        fields = "fields" if len(self.fields) > 1 else "a field"
        message = f'{subject} has type "{kind}", but {fields} of "{self.probable_type}"'
        hint = f'write "{self.probable_type}", or leave out {_join_words(self.fields)}'
        notes = (f'"{kind}" needs {_join_words(self.missing)}',) if self.missing else ()
        return source_map.diagnostic(
            "ND105",
            (*self.parts, "type"),
            message,
            hint=hint,
            notes=notes,
            related=tuple(
                RelatedPath((*self.parts, name), f'{name} is of "{self.probable_type}"', "key")
                for name in self.fields
            ),
        )


def types_with_field(error: LocatedError, data: Any) -> list[str]:
    """Returns the values of ``type`` with which the object could have its unknown field."""
    return [
        name
        for model in structure.models_at(Document, error.parts[:-1], data)
        if str(error.parts[-1]) in structure.fields(model)
        for name in structure.type_names(model)
    ]


def find_wrong_types(errors: Sequence[LocatedError], data: Any) -> list[WrongType]:
    """Finds objects with two or more unknown or missing fields that another ``type`` explains."""
    found: list[WrongType] = []
    unknown: dict[Parts, list[LocatedError]] = {}
    for error in errors:
        is_unknown = error.kind == "extra_forbidden" and error.suggestion is None
        if is_unknown and types_with_field(error, data):
            unknown.setdefault(error.parts[:-1], []).append(error)
    for parts, unknown_fields in unknown.items():
        missing = tuple(
            str(each.parts[-1])
            for each in errors
            if each.kind == "missing" and each.parts[:-1] == parts
        )
        if len(unknown_fields) + len(missing) < 2:
            continue
        first, *others = (types_with_field(each, data) for each in unknown_fields)
        common = [name for name in first if all(name in other for other in others)]
        if common:
            names = tuple(str(each.parts[-1]) for each in unknown_fields)
            found.append(WrongType(parts, common[0], names, missing))
    return found


def _join_words(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
