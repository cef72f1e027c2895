"""Validates plain data with the models.

Pydantic makes an object for every error, and a hostile file can have a million. So the beginnings
of long lists and objects are validated first, and the rest only if these have few errors.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from netdesc.description import model_structure as structure
from netdesc.description.models import Document

MAX_ERRORS = 200
"""Largest number of reported errors. A file with more is probably not a description."""

_MAX_FIRST_ENTRIES = 500
"""Number of entries of a list or object that are validated first."""


_NAMES = frozenset(name for model in structure.model_paths() for name in structure.fields(model))
"""All field names of the language. Keys with these names are validated first, too."""


class InvalidDocumentError(ValueError):
    """Plain data are not a valid document. ``is_complete`` is False if there may be more errors."""

    def __init__(self, errors: Sequence[ErrorDetails], *, is_complete: bool) -> None:
        super().__init__(f"{len(errors)} errors")
        self.errors = list(errors)
        self.is_complete = is_complete


def validate_document(data: Any) -> Document:
    """Converts plain data to a document. InvalidDocumentError if the data are not valid."""
    whole, beginning = json.dumps(data), json.dumps(_first_entries(data))
    for text in (beginning, whole) if beginning != whole else (whole,):
        try:
            document = Document.model_validate_json(text)
        except ValidationError as error:
            if text is whole or error.error_count() > MAX_ERRORS:
                errors = error.errors(include_url=False)
                raise InvalidDocumentError(errors, is_complete=text is whole) from None
        else:
            if text is whole:
                return document
    raise AssertionError("the whole text is valid or not")


def _first_entries(value: Any) -> Any:
    if isinstance(value, dict):
        held = cast("dict[str, Any]", value)
        names = [key for n, key in enumerate(held) if n < _MAX_FIRST_ENTRIES or key in _NAMES]
        return {name: _first_entries(held[name]) for name in names}
    if isinstance(value, list):
        return [_first_entries(item) for item in cast("list[Any]", value)[:_MAX_FIRST_ENTRIES]]
    return value
