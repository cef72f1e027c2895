"""Objects that hold the fields of another ``type``: one finding for each, not one a field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from netdesc.description import model_structure as structure
from netdesc.description.diagnostics.diagnostic import Diagnostic
from netdesc.description.json.tree import Parts
from netdesc.description.json_pointer import lookup
from netdesc.description.models import Document
from netdesc.description.pydantic_errors import Fault
from netdesc.description.source_map import RelatedPath, SourceMap


@dataclass(frozen=True, slots=True)
class Mistyped:
    """An object whose ``type`` may be the slip: ``fields`` belong to the type ``owner``."""

    parts: Parts
    owner: str
    fields: tuple[str, ...]
    missing: tuple[str, ...]
    """Fields that the type wants, and that are not there."""

    def explains(self, fault: Fault) -> bool:
        names = (*self.fields, *self.missing)
        is_its_kind = fault.kind in ("extra_forbidden", "missing")
        return is_its_kind and fault.parts[:-1] == self.parts and fault.parts[-1] in names

    def diagnostic(self, source_map: SourceMap) -> Diagnostic:
        kind: Any = lookup(source_map.data, (*self.parts, "type"))
        subject = source_map.subject(self.parts)
        fields = "fields" if len(self.fields) > 1 else "a field"
        message = f'{subject} has type "{kind}", but {fields} of "{self.owner}"'
        hint = f'write "{self.owner}", or leave out {_and(self.fields)}'
        return source_map.diagnostic(
            "ND105",
            (*self.parts, "type"),
            message,
            hint=hint,
            notes=(f'"{kind}" wants {_and(self.missing)}',) if self.missing else (),
            related=tuple(
                RelatedPath((*self.parts, name), f'{name} is of "{self.owner}"', "key")
                for name in self.fields
            ),
        )


def owners(fault: Fault, data: Any) -> list[str]:
    """The types whose objects have the field that this one must not have."""
    return [
        name
        for model in structure.models_at(Document, fault.parts[:-1], data)
        if str(fault.parts[-1]) in structure.fields(model)
        for name in structure.type_names(model)
    ]


def mistyped(found: Sequence[Fault], data: Any) -> list[Mistyped]:
    """The objects of which more is wrong than one field, and another type explains it."""
    listed: list[Mistyped] = []
    extras: dict[Parts, list[Fault]] = {}
    for fault in found:
        if fault.kind == "extra_forbidden" and fault.meaning is None and owners(fault, data):
            extras.setdefault(fault.parts[:-1], []).append(fault)
    for parts, faults in extras.items():
        missing = tuple(
            str(each.parts[-1])
            for each in found
            if each.kind == "missing" and each.parts[:-1] == parts
        )
        if len(faults) + len(missing) < 2:
            continue
        first, *others = (owners(each, data) for each in faults)
        common = [name for name in first if all(name in other for other in others)]
        if common:
            names = tuple(str(each.parts[-1]) for each in faults)
            listed.append(Mistyped(parts, common[0], names, missing))
    return listed


def _and(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
