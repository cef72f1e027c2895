"""Checks strings and numbers, and converts them from the notation of other languages to JSON."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterator

from netdesc.description.json.collector import TextDiagnostic, cut, edit
from netdesc.description.json.tree import MAX_INTEGER, Span

MAX_IN_STRING = 10
"""Largest number of diagnostics for one string."""

CONSTANTS = {
    **dict.fromkeys(("True", "TRUE"), "true"),
    **dict.fromkeys(("False", "FALSE"), "false"),
    **dict.fromkeys(("None", "Null", "NULL", "nil", "undefined"), "null"),
}
"""The constants of other languages, and their JSON form."""
NOT_FINITE = re.compile(r"[-+]?(?:nan|inf|infinity)", re.IGNORECASE)

_STRING_ERROR = re.compile(
    r"(?P<control>[\x00-\x1f])"
    r"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(?P<lone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
    r'|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4}'
    r"|(?P<bad>\\u[0-9a-fA-F]{0,3}|\\.)"
)
_NUMBER = re.compile(r"([0-9]*)(\.[0-9]*)?([eE][+-]?[0-9]+)?")


def check_string(raw: str, start: int) -> list[TextDiagnostic]:
    """Reports wrong characters in the string ``raw``, with its quotes, at the offset ``start``."""
    return list(itertools.islice(_find_string_errors(raw, start), MAX_IN_STRING))


def _find_string_errors(raw: str, start: int) -> Iterator[TextDiagnostic]:
    has_bad_escape = False
    for found in _STRING_ERROR.finditer(raw):
        span = start + found.start(), start + found.end()
        if found["control"]:
            escape = json.dumps(found[0])[1:-1]
            fix = edit(f"write {escape}", (*span, escape)) if escape == "\\t" else None
            message = f"a control character inside a string, U+{ord(found[0]):04X}"
            yield TextDiagnostic("ND012", *span, message, f"write {escape}", fix)
        elif found["lone"]:
            message = f"{found[0]} is half of a surrogate pair"
            yield TextDiagnostic("ND012", *span, message, "write both halves")
        elif found["bad"] and not has_bad_escape:
            has_bad_escape = True  # one diagnostic is enough: a Windows path has several
            hint = 'write \\\\ for a backslash; a path takes "/" on every system'
            yield TextDiagnostic("ND012", *span, f"{found[0]} is not an escape sequence", hint)


def requote(raw: str) -> str | None:
    """Returns the JSON form of a string in other quotes; ``None`` if that form is not certain."""

    def escape(match: re.Match[str]) -> str:
        return {"\\'": "'", '"': '\\"'}.get(match[0], match[0])

    written = '"' + re.sub(r'\\.|"', escape, raw[1:-1]) + '"'
    try:
        json.loads(written).encode()
    except ValueError:  # an escape that JSON does not have, or a lone surrogate
        return None
    return written


def number_fits(raw: str) -> bool:
    """Returns True if a JSON number fits into 64 bits: an integer as int64, others as float64."""
    if any(mark in raw for mark in ".eE"):
        return math.isfinite(float(raw))
    return len(raw) <= 20 and abs(int(raw)) <= MAX_INTEGER


def check_number(raw: str, span: Span) -> TextDiagnostic | None:
    """Reports a number that does not fit into 64 bits, or that is not written as in JSON."""
    if NOT_FINITE.fullmatch(raw):
        message = f"JSON has no number {raw}"
        return TextDiagnostic("ND010", *span, message, "write a finite number")
    plain = plain_number(raw)
    message = f"{cut(raw)} is not a number in JSON"
    if plain is None:
        hint = "write digits, with a point and an exponent if need be: 12, 0.5, 1e-3"
        if re.fullmatch(r"[-+]?[0-9.]{1,20}[a-zA-Z]{1,10}", raw):
            hint = "write the number alone: the names of fields state the units"
        return TextDiagnostic("ND013", *span, message, hint)
    if plain != raw:
        # 010 is 8 in some languages and 10 in others.
        is_certain = re.match(r"[-+]?0[0-9]", raw) is None
        fix = edit(f"write {cut(plain)}", (*span, plain)) if is_certain else None
        return TextDiagnostic("ND013", *span, message, f"write {cut(plain)}", fix)
    if not number_fits(raw):
        hint = f"the largest integer is {MAX_INTEGER}, the largest other number about 1.8e308"
        return TextDiagnostic("ND014", *span, "the number does not fit into 64 bits", hint)
    return None


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
