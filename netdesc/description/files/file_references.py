"""Where in a document the names of files stand."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast, get_args

from netdesc.description import model_structure as structure
from netdesc.description.json.tree import Parts
from netdesc.sections import Section


@dataclass(frozen=True, slots=True)
class Mention:
    """A file that a document names: the place of its path, the path, and the object around it."""

    parts: Parts
    path: str
    holder: Section


def mentions(section: Section, parts: Parts = ()) -> Iterator[Mention]:
    """Every name of a file, in the order of the models.

    Hundreds of thousands of samples are quick to walk: what can name no file is not looked into.
    """
    for name, key, is_path in _fields_with_paths(type(section)):
        value = getattr(section, name)
        if is_path and isinstance(value, str):
            yield Mention((*parts, key), value, section)
        elif not is_path:
            yield from _inside(value, (*parts, key))


def _inside(value: Any, parts: Parts) -> Iterator[Mention]:
    if isinstance(value, Section):
        yield from mentions(value, parts)
    elif isinstance(value, tuple):
        for index, item in enumerate(cast("tuple[Any, ...]", value)):
            yield from _inside(item, (*parts, index))
    elif isinstance(value, dict):
        for key, item in cast("dict[str, Any]", value).items():
            yield from _inside(item, (*parts, key))


@functools.cache
def _fields_with_paths(model: structure.Model) -> tuple[tuple[str, str, bool], ...]:
    """The fields of a model that are names of files, or may hold some, with their keys."""
    found: list[tuple[str, str, bool]] = []
    for name, info in model.model_fields.items():
        is_path = "x-path" in cast("dict[str, Any]", info.json_schema_extra or {})
        if is_path or any(map(_fields_with_paths, _models_within(info.annotation))):
            found.append((name, info.alias or name, is_path))
    return tuple(found)


def _models_within(annotation: Any) -> Iterator[structure.Model]:
    """The models of an annotation, also those of the items of lists and of the values of maps."""
    for each in structure.alternatives(annotation):
        yield from structure.models(each)
        for argument in get_args(each):
            yield from _models_within(argument)
