"""The tokens of a damaged JSON text: JSON's own, and what people write in their place."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from netdesc.description.diagnostic import Edit, Fix

MAX_DEPTH = 64
"""Deepest nesting of objects and lists. A description needs eight levels."""

MAX_INTEGER = (1 << 63) - 1

MAX_MISTAKES = 200
"""Mistakes after which reading stops: the file is something else than a description."""

_LONGEST_NUMBER = 400
"""Characters of a number that fits into a 64-bit float, and some."""

MAX_IN_STRING = 10
"""Mistakes that are shown of one string."""

_TOKEN = re.compile(
    r"""[ \t\r\n]*(?:
    (?P<string>"[^"\\\n]*+(?:\\[^\n][^"\\\n]*+)*+")
    |(?P<equals>=>|==?|:=)
    |(?P<mark>[{}\[\](),:;])
    |(?P<number>-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+(?![\w.+-]))
    |(?P<constant>(?:true|false|null)(?![\w.+-]))
    |(?P<comment>//[^\n]*|/\*.*?\*/|\#[^\n]*|--[ \t][^\n]*)
    |(?P<open_comment>/\*.*)
    |(?P<open_string>"[^\n]*)
    |(?P<quoted>'[^'\\\n]*+(?:\\[^\n][^'\\\n]*+)*+'|`[^`"\\\n]*`
        |[“”„‟][^“”„‟"\\\n]*[“”„‟"]|[‘’‚‛][^‘’‚‛"'\\\n]*[‘’‚‛'])
    |(?P<word>[\w.+$-]+)
    |(?P<other>.)
    |(?P<end>\Z))""",
    re.VERBOSE | re.DOTALL,
)
_CONTROL = re.compile(r"[\x00-\x1f]")
_ESCAPE = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(?P<lone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
    r'|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4}'
    r"|(?P<bad>\\u[0-9a-fA-F]{0,3}|\\.)"
)


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A second place in the text that explains a mistake."""

    start: int
    end: int
    message: str


@dataclass(frozen=True, slots=True)
class Mistake:
    """Something in the text that is not JSON, at ``text[start:end]``."""

    code: str
    start: int
    end: int
    message: str
    hint: str = ""
    fix: Fix | None = None
    related: tuple[Elsewhere, ...] = ()


@dataclass(frozen=True, slots=True)
class Token:
    """``kind`` is the mark itself, or the name of a group of the pattern above."""

    kind: str
    start: int
    end: int


def edit(title: str, *edits: tuple[int, int, str]) -> Fix:
    """A remedy: each of ``text[start:end]`` becomes the third."""
    return Fix(title, tuple(Edit(*each) for each in edits))


def token_at(text: str, at: int) -> Token:
    """The token that begins at an offset, or after white space there."""
    match = _TOKEN.match(text, at)
    assert match is not None
    kind = match.lastgroup or ""
    start, end = match.span(kind)
    return Token(match[kind] if kind == "mark" else kind, start, end)


def string_mistakes(raw: str, start: int) -> list[Mistake]:
    """What is wrong in a string in double quotes; the first of it where it is much."""
    return list(itertools.islice(_string_mistakes(raw, start), MAX_IN_STRING))


def _string_mistakes(raw: str, start: int) -> Iterator[Mistake]:
    for control in _CONTROL.finditer(raw):
        name = {"\t": "a tab", "\r": "a carriage return"}.get(control[0], "a control character")
        escape = {"\t": "\\t", "\r": "\\r"}.get(control[0], f"\\u{ord(control[0]):04x}")
        at = start + control.start()
        fix = edit(f"write {escape}", (at, at + 1, escape)) if control[0] == "\t" else None
        yield Mistake("ND012", at, at + 1, f"{name} inside a string", f"write {escape}", fix)
    if "\\" not in raw:
        return
    bad = [each for each in _ESCAPE.finditer(raw) if each["bad"]]
    if bad:
        at, more = start + bad[0].start(), f", and {len(bad) - 1} more" if len(bad) > 1 else ""
        hint = 'write \\\\ for a backslash; a path takes "/" on every system'
        message = f"{bad[0]['bad']} is no escape{more}"
        yield Mistake("ND012", at, start + bad[0].end(), message, hint)
    for escape in _ESCAPE.finditer(raw):
        if escape["lone"]:
            hint = "a surrogate needs its other half"
            message = f"{escape['lone']} is half a character"
            yield Mistake("ND012", start + escape.start(), start + escape.end(), message, hint)


def as_number(raw: str) -> int | float | None:
    """What a number of JSON says; ``None`` if it does not fit into 64 bits."""
    if not any(mark in raw for mark in ".eE"):
        return int(raw) if len(raw) <= 20 and abs(int(raw)) <= MAX_INTEGER else None
    number = float(raw)
    return number if math.isfinite(number) else None


def too_large(raw: str, start: int, end: int) -> Mistake:
    """The mistake of a number for which ``as_number`` has no value."""
    kind = "a 64-bit float" if any(mark in raw for mark in ".eE") else "an integer of 64 bits"
    return Mistake("ND014", start, end, f"the number does not fit into {kind}")


def plain_number(raw: str) -> str | None:
    """The number of JSON that another notation means: 0.5 for .5, 16 for 0x10."""
    if len(raw) > _LONGEST_NUMBER:
        return None
    sign, digits = ("-", raw[1:]) if raw.startswith("-") else ("", raw.removeprefix("+"))
    if len(raw) <= 18 and re.fullmatch(r"0[xX][0-9a-fA-F]+", digits):
        return sign + str(int(digits, 16))
    if re.fullmatch(r"[0-9]+(?:_[0-9]+)+", digits):
        digits = digits.replace("_", "")
    parts = re.fullmatch(r"([0-9]*)(\.[0-9]*)?([eE][+-]?[0-9]+)?", digits)
    if parts is None or not (parts[1] or (parts[2] or "").strip(".")):
        return None
    point = parts[2] or ""
    point = point + "0" if point == "." else point
    return sign + (parts[1].lstrip("0") or "0") + point + (parts[3] or "")


def wrong_number(raw: str, start: int, end: int) -> Mistake:
    """The mistake of a word that starts like a number and is none."""
    plain = plain_number(raw)
    message = f"{cut(raw)} is no number in JSON"
    if plain is None:
        hint = "write digits, with a point and an exponent if need be: 12, 0.5, 1e-3"
        if re.fullmatch(r"[-+]?[0-9.]{1,20}[a-zA-Z]{1,10}", raw):
            hint = "write the number alone: units stand in the names of fields"
        return Mistake("ND013", start, end, message, hint)
    # 010 is eight in some languages, and ten in others.
    is_certain = re.match(r"[-+]?0[0-9]", raw) is None
    fix = edit(f"write {cut(plain)}", (start, end, plain)) if is_certain else None
    return Mistake("ND013", start, end, message, f"write {cut(plain)}", fix)


def as_string(raw: str) -> str:
    """The text of a string that has no mistakes."""
    return str(json.loads(raw))


def cut(text: str) -> str:
    """A piece of the text, short enough for a message."""
    return text if len(text) <= 40 else text[:39] + "…"
