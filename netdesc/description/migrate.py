"""Rewrites a document of an older format in the current one: ``netdesc migrate``."""

from __future__ import annotations

from typing import Any

from netdesc.description.canonical_layout import document_text, sound_tree
from netdesc.description.diagnostics.diagnostic import Diagnostic
from netdesc.description.json.tree import Node
from netdesc.description.json_pointer import lookup
from netdesc.description.load import check_format
from netdesc.description.migrations import is_older, migrate_data
from netdesc.description.model_errors import diagnose
from netdesc.description.model_validation import InvalidDocumentError, validate_document
from netdesc.description.models.document import FORMAT
from netdesc.description.pydantic_errors import locate_errors
from netdesc.description.source import Source
from netdesc.description.source_map import SourceMap


def migrate_text(source: Source) -> str | list[Diagnostic]:
    """Rewrites a document of an older format in the current format and the canonical layout.

    A text in the current format is returned unchanged. Returns diagnostics if the text is not JSON,
    or if its format is missing or unknown. Other errors are not checked.
    """
    root = sound_tree(source)
    if not isinstance(root, Node):
        return root
    data = root.value
    if is_older(data):
        return document_text(migrate_data(data))
    if type(lookup(data, ("format",))) is int and data["format"] == FORMAT:
        return source.text
    return _diagnose_format(SourceMap(source, root, data))


def _diagnose_format(source_map: SourceMap) -> list[Diagnostic]:
    """Returns the diagnostics about a wrong format, or about a document that is not an object."""
    data: Any = source_map.data
    if isinstance(data, dict):
        refused = check_format(source_map)
        if refused is not None:
            return [refused]
    try:
        validate_document(data)
    except InvalidDocumentError as invalid:
        found = locate_errors(invalid, data)
        return diagnose([each for each in found if each.parts in ((), ("format",))], source_map)
    raise AssertionError("a document of another format is not valid")
