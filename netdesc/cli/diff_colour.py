"""Colours removed and added text on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

_COLOURS = {"+": "\x1b[32m", "-": "\x1b[31m", "@": "\x1b[36m"}
_RESET = "\x1b[0m"


def colourise(text: str, sign: str, colour: bool) -> str:
    """Returns the text in the colour of a diff line that starts with ``sign``."""
    return f"{_COLOURS[sign]}{text}{_RESET}" if colour and sign in _COLOURS else text


def colourise_diff(lines: Sequence[str], colour: bool) -> list[str]:
    """Colours the lines of a diff and replaces control characters; no change without ``colour``."""
    from netdesc.description.diagnostics.terminal_text import printable

    return [colourise(printable(line), line[:1], True) for line in lines] if colour else list(lines)
