"""The text of a document in the present format: ``netdesc migrate``."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from netdesc.description.diagnostic import Diagnostic
from netdesc.description.faults import faults
from netdesc.description.formatting import Block, Piece, layout, sound_tree
from netdesc.description.load import other_format
from netdesc.description.migrations import is_older, migrated
from netdesc.description.models.document import FORMAT
from netdesc.description.places import Places
from netdesc.description.plain import lookup, members
from netdesc.description.shape_findings import diagnose
from netdesc.description.source import Source
from netdesc.description.tree import Node, Parts, Span
from netdesc.description.validating import UnfitError, document_of


def migrated_text(source: Source) -> str | list[Diagnostic]:
    """The document in the present format and the canonical layout; as it is, if it is in it.

    What the steps leave keeps its spelling. The findings are those for which nobody knows how the
    document is to be read: it is no JSON, or its format is missing or unknown. Others are not
    looked for.
    """
    root = sound_tree(source)
    if not isinstance(root, Node):
        return root
    if is_older(root):
        whole = migrated(root)
        return layout(_piece(whole.root.value, whole.root, (), whole.made, source.text))
    data = root.value
    if type(lookup(data, ("format",))) is int and data["format"] == FORMAT:
        return source.text
    return _unreadable(Places(source, root, data))


def _piece(
    value: Any, node: Node | None, parts: Parts, made: Collection[Parts], text: str
) -> Piece:
    """A value as it is to be written: spelt as in the text where it comes from there."""

    def inner(key: str | int, held: Any) -> Piece:
        child = None if node is None else node.children.get(key)
        return _piece(held, child, (*parts, key), made, text)

    held = members(value)
    if isinstance(value, dict):
        keys = dict[str, Span]() if node is None else node.keys
        spelt = {str(key): _key(str(key), keys.get(str(key)), text) for key in held}
        return Block("{}", [(f"{spelt[str(key)]}: ", inner(key, held[key])) for key in held])
    if isinstance(value, list):
        return Block("[]", [("", inner(key, held[key])) for key in held])
    if node is None or parts in made:
        return json.dumps(value, ensure_ascii=False)
    return text[node.start : node.end]


def _key(key: str, span: Span | None, text: str) -> str:
    spelt = "" if span is None else text[slice(*span)]
    return spelt if spelt and json.loads(spelt) == key else json.dumps(key, ensure_ascii=False)


def _unreadable(places: Places) -> list[Diagnostic]:
    """What is wrong with the number of the format, or that there is no object to have one."""
    data: Any = places.data
    if isinstance(data, dict):
        refused = other_format(places)
        if refused is not None:
            return [refused]
    try:
        document_of(data)
    except UnfitError as error:
        found = faults(error, data)
        return diagnose([each for each in found if each.parts in ((), ("format",))], places)
    raise AssertionError("a document without the present format is no document")
