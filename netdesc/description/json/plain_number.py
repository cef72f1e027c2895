"""Converts numbers in the notation of other languages to JSON."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"([0-9]*)(\.[0-9]*)?([eE][+-]?[0-9]+)?")


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
