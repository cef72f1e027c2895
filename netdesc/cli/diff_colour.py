"""Colours removed and added text on a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from netdesc.cli.output import SafeText, escape

_COLOURS = {"+": "\x1b[32m", "-": "\x1b[31m", "@": "\x1b[36m"}
_RESET = "\x1b[0m"


def colourise(text: str, sign: str, colour: bool) -> SafeText:
    """Escapes the text and gives it the colour of a diff line that starts with ``sign``."""
    text = escape(text)
    return SafeText(f"{_COLOURS[sign]}{text}{_RESET}") if colour and sign in _COLOURS else text


def colourise_diff(lines: Iterable[str]) -> list[SafeText]:
    """Escapes and colours the lines of a diff."""
    return [colourise(line.expandtabs(4), line[:1], True) for line in lines]
