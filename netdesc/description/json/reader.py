"""Reads JSON text as a tree with the positions of all values and keys.

The standard library parses valid text. For other text, ``syntax_error`` finds the first error.
"""

from __future__ import annotations

from typing import NamedTuple

from netdesc.description.json.literals import TextDiagnostic
from netdesc.description.json.syntax_error import find_error
from netdesc.description.json.tree import Node, read_valid
from netdesc.description.source import Source


class Parsed(NamedTuple):
    """The tree of a text, or the diagnostic that says why it is not JSON."""

    root: Node | None
    error: TextDiagnostic | None


def parse(source: Source) -> Parsed:
    """Parses JSON text. An error becomes a diagnostic, not an exception."""
    root = read_valid(source.text)
    if root is not None:
        return Parsed(root, None)
    error = find_error(source.text)
    assert error is not None, "the text is valid, or has an error"
    return Parsed(None, error)
