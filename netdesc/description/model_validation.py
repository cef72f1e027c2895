"""From plain data to the models: all at once, or a long list of samples in portions.

Pydantic makes an object of each fault before anybody looks at the first one, and a large file can
have a million. So what is too long to be right is cut, long lists are read in portions, and reading
ends where there are more faults than are shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from netdesc.description import model_structure as structure
from netdesc.description.models import Document, Pair, SpikeFiles
from netdesc.sections import Section

MAX_ERRORS = 200
"""Faults that are looked at. A file with more is something else than a description."""

_PORTION = 2000
"""Entries of an object or a list that are read at once: more than any may have but the samples."""

_SAMPLES = ("train", "validation")
_PAIRS = TypeAdapter[tuple[Pair, ...]](tuple[Pair, ...])


def _sections(model: type[Section]) -> Iterator[type[Section]]:
    yield model
    for each in model.__subclasses__():
        yield from _sections(each)


_NAMES = frozenset(name for each in _sections(Section) for name in structure.fields(each))
"""Keys that mean something somewhere, and are never cut off."""


class InvalidDocumentError(ValueError):
    """Plain data that are no document. ``is_all`` is false where not all faults were looked for."""

    def __init__(self, errors: Sequence[ErrorDetails], is_all: bool) -> None:
        super().__init__(f"{len(errors)} faults")
        self.errors = list(errors)
        self.is_all = is_all


def validate_document(data: Any) -> Document:
    """The document that plain data describe. Raises UnfitError."""
    rest = dict(_long_samples(data))
    cutting = _Cutting(rest)
    found = _Reading()
    document = found.read(cutting.of(data, ()))
    if len(found.errors) > MAX_ERRORS:
        raise InvalidDocumentError(found.errors, is_all=not (rest or cutting.has_cut))
    if cutting.has_cut:
        found = _Reading()
        document, rest = found.read(data), {}
    more = {name: found.read_samples(name, samples) for name, samples in rest.items()}
    if document is None or found.errors:
        raise InvalidDocumentError(found.errors, found.is_all)
    return _with_samples(document, more) if more else document


def _long_samples(data: Any) -> Iterator[tuple[str, list[Any]]]:
    """The lists of samples that are too long to be read at once."""
    section = cast("dict[str, Any]", data).get("data") if isinstance(data, dict) else None
    if not isinstance(section, dict):
        return
    held = cast("dict[str, Any]", section)
    for name in _SAMPLES if held.get("type") == "spike_files" else ():
        samples = held.get(name)
        if isinstance(samples, list) and len(cast("list[Any]", samples)) > _PORTION:
            yield name, samples


def _with_samples(document: Document, more: Mapping[str, tuple[Pair, ...]]) -> Document:
    data = document.data
    assert isinstance(data, SpikeFiles)
    whole = {name: getattr(data, name) + pairs for name, pairs in more.items()}
    return document.model_copy(update={"data": data.model_copy(update=whole)})


@dataclass(slots=True)
class _Cutting:
    """Takes the first entries of what has very many; ``rest`` names samples that are read later."""

    rest: Mapping[str, Any]
    has_cut: bool = False

    def of(self, value: Any, parts: tuple[str, ...]) -> Any:
        if isinstance(value, dict):
            held = cast("dict[str, Any]", value)
            return {key: self.of(held[key], (*parts, key)) for key in self._keys(held)}
        if isinstance(value, list):
            items = cast("list[Any]", value)
            is_later = len(parts) == 2 and parts[0] == "data" and parts[1] in self.rest
            self.has_cut |= len(items) > _PORTION and not is_later
            return [self.of(item, ()) for item in items[:_PORTION]]
        return value

    def _keys(self, held: Mapping[str, Any]) -> Sequence[str]:
        keys = list(held)
        if len(keys) <= _PORTION:
            return keys
        self.has_cut = True
        return [*keys[:_PORTION], *(key for key in keys[_PORTION:] if key in _NAMES)]


@dataclass(slots=True)
class _Reading:
    """Reads what may be wrong, and collects the faults."""

    errors: list[ErrorDetails] = field(default_factory=list[ErrorDetails])
    is_all: bool = True

    def read(self, data: Any) -> Document | None:
        try:
            return Document.model_validate_json(json.dumps(data))
        except ValidationError as error:
            self.errors += error.errors(include_url=False)
            return None

    def read_samples(self, name: str, samples: Sequence[Any]) -> tuple[Pair, ...]:
        """The samples behind the first portion; fewer where there are faults."""
        found: list[Pair] = []
        for start in range(_PORTION, len(samples), _PORTION):
            if len(self.errors) > MAX_ERRORS:
                self.is_all = False
                break
            try:
                found += _PAIRS.validate_json(json.dumps(samples[start : start + _PORTION]))
            except ValidationError as error:
                self.errors += (
                    _moved(each, name, start) for each in error.errors(include_url=False)
                )
        return tuple(found)


def _moved(error: ErrorDetails, name: str, start: int) -> ErrorDetails:
    """A fault of a portion at its place in the whole document, as pydantic names it."""
    index, *parts = error["loc"]
    assert isinstance(index, int)
    place = ("data", "<spike_files>", name, start + index, *parts)
    return cast("ErrorDetails", {**error, "loc": place})
