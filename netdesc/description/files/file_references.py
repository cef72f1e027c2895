"""Finds the paths of files in a document."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast, get_args

from netdesc.description import model_structure as structure
from netdesc.description.json.tree import Parts
from netdesc.sections import Section


@dataclass(frozen=True, slots=True)
class FileReference:
    """A file that a document names.

    ``parts`` is the place of ``path`` in the document, ``holder`` the section that contains it.
    """

    parts: Parts
    path: str
    holder: Section


def file_references(section: Section, parts: Parts = ()) -> Iterator[FileReference]:
    """Yields every file that the section names, in the order of the models' fields.

    Fields that cannot contain a path are skipped, so hundreds of thousands of samples take little
    time.
    """
    for name, key, is_path in _fields_with_paths(type(section)):
        value = getattr(section, name)
        if is_path and isinstance(value, str):
            yield FileReference((*parts, key), value, section)
        elif not is_path:
            yield from _references_in(value, (*parts, key))


def _references_in(value: Any, parts: Parts) -> Iterator[FileReference]:
    if isinstance(value, Section):
        yield from file_references(value, parts)
    elif isinstance(value, tuple):
        for index, item in enumerate(cast("tuple[Any, ...]", value)):
            yield from _references_in(item, (*parts, index))
    elif isinstance(value, dict):
        for key, item in cast("dict[str, Any]", value).items():
            yield from _references_in(item, (*parts, key))


@functools.cache
def _fields_with_paths(model: structure.Model) -> tuple[tuple[str, str, bool], ...]:
    """Returns (name, JSON key, is_path) of each field that is a path or may contain one."""
    fields: list[tuple[str, str, bool]] = []
    for name, info in model.model_fields.items():
        is_path = "x-path" in structure.extra(info)
        if is_path or any(map(_fields_with_paths, _nested_models(info.annotation))):
            fields.append((name, info.alias or name, is_path))
    return tuple(fields)


def _nested_models(annotation: Any) -> Iterator[structure.Model]:
    """Yields the models that a type annotation names, also inside lists and mappings."""
    for each in structure.alternatives(annotation):
        yield from structure.models(each)
        for argument in get_args(each):
            yield from _nested_models(argument)
