"""What every rendering says of findings, without excerpt and colour."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePath

from netdesc.description.diagnostics.diagnostic import Diagnostic, Related
from netdesc.description.diagnostics.terminal_text import printable

_LONGEST = 2000
"""Characters of a line; a document can make a message as long as itself."""


def visible(text: str) -> str:
    """Text on one line in which nothing is hidden: what cannot be printed becomes a sign."""
    if len(text) > _LONGEST:
        text = text[: _LONGEST - 1] + "…"
    return printable(text, tab=" ")


def amount(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def kinds(diagnostics: Sequence[Diagnostic]) -> list[str]:
    """How many errors and how many warnings there are, without what there is none of."""
    errors = sum(each.is_error for each in diagnostics)
    counts = {"error": errors, "warning": len(diagnostics) - errors}
    words = [amount(count, noun) for noun, count in counts.items() if count]
    return words if is_complete(diagnostics) else [f"at least {words[0]}", *words[1:]]


def is_complete(diagnostics: Sequence[Diagnostic]) -> bool:
    """False where there may be more findings: after very many, no others are looked for."""
    return not any(each.is_last_looked_for for each in diagnostics)


def place(found: Diagnostic | Related, file: str) -> str:
    """Where it is in a file that is called so, as editors and terminals make a link of it."""
    return file if found.line is None else f"{file}:{found.line}:{found.column}"


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
