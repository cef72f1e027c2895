"""Text as Markdown shows it unchanged, whatever it holds."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from netdesc.description.diagnostics.wording import visible

_SIGNS = re.compile(r"([\\`*_{}\[\]()#+.!|~:@$^=-])")
_FEW_SIGNS = re.compile(r"([\\`*_\[\]|$~])")


def escaped(text: str) -> str:
    """One line in which no sign has a meaning: no link, no emphasis, no tag, no new cell."""
    return _SIGNS.sub(r"\\\1", html.escape(visible(text), quote=False))


def prose(text: str) -> str:
    """A sentence of netdesc's own, in which signs stand for themselves and names may be links."""
    return _FEW_SIGNS.sub(r"\\\1", html.escape(text, quote=False))


def code(text: str) -> str:
    """A value as code, of netdesc's own too; in a table a bar would end the cell."""
    assert "`" not in text
    return f"`{text.replace('|', chr(92) + '|')}`"


def row(cells: Sequence[str]) -> str:
    """A row of a table, of cells that are Markdown already."""
    return f"| {' | '.join(cells)} |"


def fenced(text: str, language: str = "") -> str:
    """A block of code; its fence is longer than any in the text."""
    longest = max((len(each) for each in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"
