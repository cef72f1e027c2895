"""Validates plain data with the models, in portions if there are very many samples.

Pydantic creates an object for every error, and a large file can have a million errors. Therefore
long lists of samples are validated in portions, other long objects and lists are cut, and
validation stops once there are more than ``MAX_ERRORS`` errors.
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
from netdesc.description.models.data import PARTS
from netdesc.sections import Section

MAX_ERRORS = 200
"""Largest number of reported errors. A file with more is probably not a description."""

_PORTION = 2000
"""Number of entries validated together. In a valid document, only lists of samples have more."""

_PAIRS = TypeAdapter[tuple[Pair, ...]](tuple[Pair, ...])


def _subclasses(model: type[Section]) -> Iterator[type[Section]]:
    yield model
    for each in model.__subclasses__():
        yield from _subclasses(each)


_NAMES = frozenset(name for each in _subclasses(Section) for name in structure.fields(each))
"""All field names of the language. Keys with these names are never cut."""


class InvalidDocumentError(ValueError):
    """Plain data are not a valid document. ``is_complete`` is False if there may be more errors."""

    def __init__(self, errors: Sequence[ErrorDetails], is_complete: bool) -> None:
        super().__init__(f"{len(errors)} errors")
        self.errors = list(errors)
        self.is_complete = is_complete


def validate_document(data: Any) -> Document:
    """Converts plain data to a document. InvalidDocumentError if the data are not valid."""
    rest = dict(_long_samples(data))
    truncator = _Truncator(rest)
    validator = _Validator()
    document = validator.read(truncator.truncate(data, ()))
    if len(validator.errors) > MAX_ERRORS:
        raise InvalidDocumentError(validator.errors, is_complete=not (rest or truncator.has_cut))
    if truncator.has_cut:
        validator = _Validator()
        document, rest = validator.read(data), {}
    more = {name: validator.read_samples(name, samples) for name, samples in rest.items()}
    if document is None or validator.errors:
        raise InvalidDocumentError(validator.errors, validator.is_complete)
    return _with_samples(document, more) if more else document


def _long_samples(data: Any) -> Iterator[tuple[str, list[Any]]]:
    """Yields (name, list) for each list of samples with more than ``_PORTION`` entries."""
    section = cast("dict[str, Any]", data).get("data") if isinstance(data, dict) else None
    if not isinstance(section, dict):
        return
    held = cast("dict[str, Any]", section)
    for name in PARTS if held.get("type") == "spike_files" else ():
        samples = held.get(name)
        if isinstance(samples, list) and len(cast("list[Any]", samples)) > _PORTION:
            yield name, samples


def _with_samples(document: Document, more: Mapping[str, tuple[Pair, ...]]) -> Document:
    data = document.data
    assert isinstance(data, SpikeFiles)
    whole = {name: getattr(data, name) + pairs for name, pairs in more.items()}
    return document.model_copy(update={"data": data.model_copy(update=whole)})


@dataclass(slots=True)
class _Truncator:
    """Cuts objects and lists to their first ``_PORTION`` entries.

    ``rest`` maps names to the long lists of samples. Their other entries are validated later, so
    cutting them does not set ``has_cut``.
    """

    rest: Mapping[str, Any]
    has_cut: bool = False

    def truncate(self, value: Any, parts: tuple[str, ...]) -> Any:
        if isinstance(value, dict):
            held = cast("dict[str, Any]", value)
            return {key: self.truncate(held[key], (*parts, key)) for key in self._keys(held)}
        if isinstance(value, list):
            items = cast("list[Any]", value)
            is_later = len(parts) == 2 and parts[0] == "data" and parts[1] in self.rest
            self.has_cut |= len(items) > _PORTION and not is_later
            return [self.truncate(item, ()) for item in items[:_PORTION]]
        return value

    def _keys(self, held: Mapping[str, Any]) -> Sequence[str]:
        keys = list(held)
        if len(keys) <= _PORTION:
            return keys
        self.has_cut = True
        return [*keys[:_PORTION], *(key for key in keys[_PORTION:] if key in _NAMES)]


@dataclass(slots=True)
class _Validator:
    """Validates a document, and further samples in portions, and collects the errors."""

    errors: list[ErrorDetails] = field(default_factory=list[ErrorDetails])
    is_complete: bool = True

    def read(self, data: Any) -> Document | None:
        try:
            return Document.model_validate_json(json.dumps(data))
        except ValidationError as error:
            self.errors += error.errors(include_url=False)
            return None

    def read_samples(self, name: str, samples: Sequence[Any]) -> tuple[Pair, ...]:
        """Validates the samples after the first ``_PORTION`` ones. Returns the valid samples."""
        found: list[Pair] = []
        for start in range(_PORTION, len(samples), _PORTION):
            if len(self.errors) > MAX_ERRORS:
                self.is_complete = False
                break
            try:
                found += _PAIRS.validate_json(json.dumps(samples[start : start + _PORTION]))
            except ValidationError as error:
                self.errors += (
                    _at_document_location(each, name, start)
                    for each in error.errors(include_url=False)
                )
        return tuple(found)


def _at_document_location(error: ErrorDetails, name: str, start: int) -> ErrorDetails:
    """Converts the location of an error in a portion to its location in the document.

    The portion starts at index ``start`` of the list ``name``.
    """
    index, *parts = error["loc"]
    assert isinstance(index, int)
    place = ("data", "<spike_files>", name, start + index, *parts)
    return cast("ErrorDetails", {**error, "loc": place})
