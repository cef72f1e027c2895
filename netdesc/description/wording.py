"""What every rendering says of a finding, without excerpt and colour."""

from __future__ import annotations

import os
from pathlib import Path, PurePath

from netdesc.description.diagnostic import Diagnostic

_LONGEST = 2000
"""Characters of a line; a document can make a message as long as itself."""


def visible(text: str) -> str:
    """Text on one line in which nothing is hidden: what cannot be printed becomes a sign."""
    if len(text) > _LONGEST:
        text = text[: _LONGEST - 1] + "…"
    text = text.replace("\t", " ")
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else "\ufffd" for each in text)


def lines(diagnostic: Diagnostic) -> list[str]:
    """The message, then what to do and what else is known, each on a line of its own."""
    message = diagnostic.message
    if diagnostic.override is not None:
        message = f"--set {diagnostic.override}: {message}"
    said = [message, diagnostic.hint, *diagnostic.notes]
    return [visible(each) for each in said if each]


def within(file: str, root: Path) -> PurePath | None:
    """A file as it is called from ``root``; ``None`` where it lies elsewhere."""
    whole = os.path.abspath(file)
    for start, path in ((os.path.abspath(root), whole), (os.path.realpath(root), _real(whole))):
        if path.startswith(os.path.join(start, "")):
            return PurePath(os.path.relpath(path, start))
    return None


def _real(path: str) -> str:
    """The path with links followed, but for a link that is the file itself."""
    if "\0" in path:  # no file has such a name
        return path
    folder, name = os.path.split(path)
    return os.path.join(os.path.realpath(folder), name)
