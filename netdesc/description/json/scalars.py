"""Checks of single strings and numbers, and what those of other languages mean."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterator

from netdesc.description.json.collector import TextDiagnostic, cut, edit
from netdesc.description.json.tree import MAX_INTEGER, Span

MAX_IN_STRING = 10
"""Diagnostics that are made of one string."""
_MAX_NUMBER = 400
"""Characters of the longest number that fits into a 64-bit float, and some."""

CONSTANTS = {
    **dict.fromkeys(("True", "TRUE"), "true"),
    **dict.fromkeys(("False", "FALSE"), "false"),
    **dict.fromkeys(("None", "Null", "NULL", "nil", "undefined"), "null"),
}
"""The names of the constants of JSON in other languages."""
NOT_FINITE = re.compile(r"[-+]?(?:nan|inf|infinity)", re.IGNORECASE)

_FAULT = re.compile(
    r"(?P<control>[\x00-\x1f])"
    r"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(?P<lone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
    r'|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4}'
    r"|(?P<bad>\\u[0-9a-fA-F]{0,3}|\\.)"
)
_NUMBER = re.compile(r"([0-9]*)(\.[0-9]*)?([eE][+-]?[0-9]+)?")


def check_string(raw: str, start: int) -> list[TextDiagnostic]:
    """Control characters and wrong escapes of a string in double quotes that starts there."""
    return list(itertools.islice(_string_faults(raw, start), MAX_IN_STRING))


def _string_faults(raw: str, start: int) -> Iterator[TextDiagnostic]:
    has_bad_escape = False
    for fault in _FAULT.finditer(raw):
        span = start + fault.start(), start + fault.end()
        if fault["control"]:
            escape = json.dumps(fault[0])[1:-1]
            fix = edit(f"write {escape}", (*span, escape)) if escape == "\\t" else None
            message = f"a control character inside a string, U+{ord(fault[0]):04X}"
            yield TextDiagnostic("ND012", *span, message, f"write {escape}", fix)
        elif fault["lone"]:
            message = f"{fault[0]} is half a character"
            yield TextDiagnostic("ND012", *span, message, "write both halves")
        elif fault["bad"] and not has_bad_escape:
            has_bad_escape = True  # a path of Windows has several
            hint = 'write \\\\ for a backslash; a path takes "/" on every system'
            yield TextDiagnostic("ND012", *span, f"{fault[0]} is no escape", hint)


def requote(raw: str) -> str | None:
    """A string in other quotes as JSON writes it, if that is certain.

    Strings of Python that follow each other on several lines are one.
    """

    def escape(match: re.Match[str]) -> str:
        return {"\\'": "'", '"': '\\"'}.get(match[0], match[0])

    inside = re.sub(r"'[ \t\r]*\n\s*'", "", raw[1:-1])
    written = '"' + re.sub(r'\\.|"', escape, inside) + '"'
    try:
        json.loads(written).encode()
    except ValueError:  # an escape that JSON does not have, half a character
        return None
    return written


def number_fits(raw: str) -> bool:
    """Whether a number of JSON fits into 64 bits."""
    if any(mark in raw for mark in ".eE"):
        return math.isfinite(float(raw))
    return len(raw) <= 20 and abs(int(raw)) <= MAX_INTEGER


def check_number(raw: str, span: Span) -> TextDiagnostic | None:
    """Whether a number of JSON fits, and a word that starts like a number means one."""
    if NOT_FINITE.fullmatch(raw):
        message = f"JSON has no number {raw}"
        return TextDiagnostic("ND010", *span, message, "write a finite number")
    plain = plain_number(raw)
    message = f"{cut(raw)} is no number in JSON"
    if plain is None:
        hint = "write digits, with a point and an exponent if need be: 12, 0.5, 1e-3"
        if re.fullmatch(r"[-+]?[0-9.]{1,20}[a-zA-Z]{1,10}", raw):
            hint = "write the number alone: units stand in the names of fields"
        return TextDiagnostic("ND013", *span, message, hint)
    if plain != raw:
        # 010 is eight in some languages, and ten in others.
        is_certain = re.match(r"[-+]?0[0-9]", raw) is None
        fix = edit(f"write {cut(plain)}", (*span, plain)) if is_certain else None
        return TextDiagnostic("ND013", *span, message, f"write {cut(plain)}", fix)
    if not number_fits(raw):
        return TextDiagnostic("ND014", *span, "the number does not fit into 64 bits")
    return None


def plain_number(raw: str) -> str | None:
    """The number of JSON that another notation means: 0.5 for .5 and 0,5, 16 for 0x10."""
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
