"""Fills the C text of ``templates.txt``: ``@NAME@`` is a value, or lines if it stands alone."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_SECTIONS = ("\n" + Path(__file__).with_suffix(".txt").read_text("utf-8")).split("\n== ")[1:]
_TEXTS = dict(section.split("\n", 1) for section in _SECTIONS)


def fill(template: str, **values: Any) -> str:
    """Returns a template with its values. Lists of texts stand below one another."""
    texts = {
        name: value
        if isinstance(value, str) or not isinstance(value, Iterable)
        else "\n".join(value)
        for name, value in values.items()
    }

    def lines(found: re.Match[str]) -> str:
        return "".join(f"{found[1]}{line}".rstrip() + "\n" for line in texts[found[2]].splitlines())

    text = re.sub(r"^( *)@(\w+)@\n", lines, _TEXTS[template], flags=re.MULTILINE)
    return re.sub(r"@(\w+)@", lambda found: str(texts[found[1]]), text).rstrip("\n")
