"""Formats counts, places and messages of diagnostics for all output formats."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePath

from netdesc.description.diagnostics.diagnostic import Diagnostic, Related
from netdesc.description.diagnostics.terminal_text import printable

_MAX_LINE_CHARACTERS = 2000
"""Longer lines are cut. A message may quote a string of the document, which may be very long."""


def visible(text: str) -> str:
    """Returns the text on one line, cut to 2000 characters, with � for unprintable characters."""
    if len(text) > _MAX_LINE_CHARACTERS:
        text = text[: _MAX_LINE_CHARACTERS - 1] + "…"
    return printable(text, tab=" ")


def amount(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def kinds(diagnostics: Sequence[Diagnostic]) -> list[str]:
    """Returns the numbers of errors and warnings, such as ``["2 errors", "1 warning"]``.

    A number of 0 is left out. If there may be more diagnostics, the first begins with "at least".
    """
    errors = sum(each.is_error for each in diagnostics)
    counts = {"error": errors, "warning": len(diagnostics) - errors}
    words = [amount(count, noun) for noun, count in counts.items() if count]
    return words if is_complete(diagnostics) else [f"at least {words[0]}", *words[1:]]


def is_complete(diagnostics: Sequence[Diagnostic]) -> bool:
    """Returns False if there may be more diagnostics, because a search reached its limit."""
    return not any(each.ends_search for each in diagnostics)


def place(spot: Diagnostic | Related, file: str) -> str:
    """Returns ``file:line:column``, a link in many terminals; only ``file`` if there is no line."""
    return file if spot.line is None else f"{file}:{spot.line}:{spot.column}"


def lines(diagnostic: Diagnostic) -> list[str]:
    """Returns the message, the hint and the notes, one line each."""
    message = diagnostic.message
    if diagnostic.override is not None:
        message = f"--set {diagnostic.override}: {message}"
    texts = [message, diagnostic.hint, *diagnostic.notes]
    return [visible(each) for each in texts if each]


def within(file: str, root: Path) -> PurePath | None:
    """Returns the path of the file relative to ``root``; ``None`` if it is not below ``root``."""
    folder, name = os.path.split(os.path.abspath(file))
    if "\0" not in folder:  # realpath raises ValueError
        folder = os.path.realpath(folder)
    path, base = os.path.join(folder, name), os.path.realpath(root)
    is_below = path.startswith(os.path.join(base, ""))
    return PurePath(os.path.relpath(path, base)) if is_below else None
