"""Diagnostics of a text that is not JSON, and the checks of its strings and numbers."""

import json
import math
import re
from typing import NamedTuple

from netdesc.description.json.tree import MAX_INTEGER


class SecondarySpan(NamedTuple):
    """A related place in the text that explains a diagnostic."""

    start: int
    end: int
    message: str


class TextDiagnostic(NamedTuple):
    """A JSON error at ``text[start:end]``. ``edit`` (start, end, text) mends it without doubt."""

    code: str
    start: int
    end: int
    message: str
    hint: str = ""
    edit: tuple[int, int, str] | None = None
    related: tuple[SecondarySpan, ...] = ()


_STRING_ERROR = re.compile(
    r"(?P<control>[\x00-\x1f])"
    r"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
    r'|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4}'
    r"|(?P<escape>\\u[0-9a-fA-F]{0,3}|\\.)"
)
_NUMBER = re.compile(r"([0-9]*)(\.[0-9]*)?([eE][+-]?[0-9]+)?")


def string_error(raw: str, start: int) -> TextDiagnostic | None:
    """Returns the first control character or wrong escape of a string at the offset ``start``."""
    for match in _STRING_ERROR.finditer(raw):
        if match.lastgroup is None:
            continue
        span = start + match.start(), start + match.end()
        if match["control"]:
            escape = json.dumps(match[0])[1:-1]
            message = f"a control character inside a string, U+{ord(match[0]):04X}"
            edit = (*span, escape) if escape == "\\t" else None
            return TextDiagnostic("ND012", *span, message, f"write {escape}", edit)
        if match["half"]:
            message = f"{match[0]} is half of a surrogate pair"
            return TextDiagnostic("ND012", *span, message, "write both halves")
        message = f"{match[0]} is not an escape sequence"
        hint = 'write \\\\ for a backslash; a path takes "/" on every system'
        return TextDiagnostic("ND012", *span, message, hint)
    return None


def number_error(raw: str, start: int) -> TextDiagnostic | None:
    """Reports an integer that does not fit into int64, or another number into float64."""
    is_real = any(mark in raw for mark in ".eE")
    fits = math.isfinite(float(raw)) if is_real else len(raw) <= 20 and abs(int(raw)) <= MAX_INTEGER
    if fits:
        return None
    message = "the number does not fit into 64 bits"
    hint = f"the largest integer is {MAX_INTEGER}, the largest other number about 1.8e308"
    return TextDiagnostic("ND014", start, start + len(raw), message, hint)


def plain_number(raw: str) -> str | None:
    """Returns the JSON form of a number: 0.5 for .5 and 0,5, 16 for 0x10; ``None`` for others."""
    raw = raw.replace(",", ".")
    sign, digits = ("-", raw[1:]) if raw.startswith("-") else ("", raw.removeprefix("+"))
    if len(raw) <= 18 and re.fullmatch(r"0[xX][0-9a-fA-F]+", digits):
        return sign + str(int(digits, 16))
    if re.fullmatch(r"[0-9]+(?:_[0-9]+)+", digits):
        digits = digits.replace("_", "")
    parts = _NUMBER.fullmatch(digits)
    if parts is None or not (parts[1] or (parts[2] or "").strip(".")):
        return None
    point = parts[2] or ""
    point = point + "0" if point == "." else point
    return sign + (parts[1].lstrip("0") or "0") + point + (parts[3] or "")


def cut(text: str) -> str:
    """Shortens a text to 40 characters for a message."""
    return text if len(text) <= 40 else text[:39] + "…"
