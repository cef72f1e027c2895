"""Checks of the strings and numbers of JSON text, and other forms of numbers."""

import json
import math
import re

MAX_INTEGER = (1 << 63) - 1

Fault = tuple[tuple[int, int], str, str, str | None]
"""The span of what is wrong, a message, a hint, and the text to write there if it is certain."""

STRING_ERROR = re.compile(
    r"(?P<control>[\x00-\x1f])"
    r"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
    r'|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4}'
    r"|(?P<escape>\\u[0-9a-fA-F]{0,3}|\\.)"
)
_NUMBER = re.compile(r"([0-9]*)(\.[0-9]*)?([eE][+-]?[0-9]+)?")


def string_fault(raw: str) -> Fault | None:
    """Returns the first control character or wrong escape of a string."""
    for match in STRING_ERROR.finditer(raw):
        if match["control"]:
            escape = json.dumps(match[0])[1:-1]
            message = f"a control character inside a string, U+{ord(match[0]):04X}"
            text = escape if escape == "\\t" else None
            return match.span(), message, f"write {escape}", text
        if match["half"]:
            message = f"{match[0]} is half of a surrogate pair"
            return match.span(), message, "write both halves", None
        if match["escape"]:
            hint = 'write \\\\ for a backslash; a path takes "/" on every system'
            return match.span(), f"{match[0]} is not an escape sequence", hint, None
    return None


def fits_64_bits(raw: str) -> bool:
    """Whether an integer fits into int64, or another number into float64."""
    if any(mark in raw for mark in ".eE"):
        return math.isfinite(float(raw))
    return len(raw) <= 20 and abs(int(raw)) <= MAX_INTEGER


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
