"""Escapes text for Markdown."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

_SPECIAL_IN_PROSE = re.compile(r"([\\`*_\[\]|$~])")


def prose(text: str) -> str:
    """Escapes a sentence of netdesc's own texts, in which few special characters occur."""
    return _SPECIAL_IN_PROSE.sub(r"\\\1", html.escape(text, quote=False))


def code(text: str) -> str:
    """Formats text without backquotes as inline code. A bar would end a cell, so it is escaped."""
    assert "`" not in text
    return f"`{text.replace('|', chr(92) + '|')}`"


def row(cells: Sequence[str]) -> str:
    """Returns a row of a Markdown table. The cells are Markdown already."""
    return f"| {' | '.join(cells)} |"


def code_block(text: str) -> str:
    """Returns a fenced code block. Its fence is longer than any run of backquotes in the text."""
    longest = max((len(each) for each in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"
