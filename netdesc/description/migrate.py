"""The text of a document in the present format: ``netdesc migrate``."""

from __future__ import annotations

from typing import Any

from netdesc.description.canonical_layout import document_text, sound_tree
from netdesc.description.diagnostics.diagnostic import Diagnostic
from netdesc.description.json.tree import Node
from netdesc.description.json_pointer import lookup
from netdesc.description.load import other_format
from netdesc.description.migrations import is_older, migrate_data
from netdesc.description.model_errors import diagnose
from netdesc.description.model_validation import InvalidDocumentError, validate_document
from netdesc.description.models.document import FORMAT
from netdesc.description.pydantic_errors import faults
from netdesc.description.source import Source
from netdesc.description.source_map import SourceMap


def migrate_text(source: Source) -> str | list[Diagnostic]:
    """The document in the present format and the canonical layout; as it is, if it is in it.

    The findings are those for which nobody knows how the document is to be read: it is no JSON, or
    its format is missing or unknown. Others are not looked for.
    """
    root = sound_tree(source)
    if not isinstance(root, Node):
        return root
    data = root.value
    if is_older(data):
        return document_text(migrate_data(data))
    if type(lookup(data, ("format",))) is int and data["format"] == FORMAT:
        return source.text
    return _unreadable(SourceMap(source, root, data))


def _unreadable(source_map: SourceMap) -> list[Diagnostic]:
    """What is wrong with the number of the format, or that there is no object to have one."""
    data: Any = source_map.data
    if isinstance(data, dict):
        refused = other_format(source_map)
        if refused is not None:
            return [refused]
    try:
        validate_document(data)
    except InvalidDocumentError as error:
        found = faults(error, data)
        return diagnose([each for each in found if each.parts in ((), ("format",))], source_map)
    raise AssertionError("a document without the present format is no document")
