"""Rewrites a document of an older format in the current one: ``netdesc migrate``."""

from __future__ import annotations

from pathlib import Path

from netdesc.description.canonical_layout import document_text, sound_tree
from netdesc.description.diagnostics.diagnostic import Diagnostic
from netdesc.description.json.tree import Node
from netdesc.description.json_pointer import lookup
from netdesc.description.load import check_text
from netdesc.description.migrations import is_older, migrate_data
from netdesc.description.models.document import FORMAT
from netdesc.description.source import Source


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
    found = check_text(source, Path(source.name), with_files=False)[1]
    return [each for each in found if each.pointer in ("", "/format")]
