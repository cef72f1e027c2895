"""JSON's tokens, strictly: finds what the grammar in use lets pass or cannot read.

The JSON grammar of tree-sitter takes comments, ``1.``, ``\\u12`` and raw tabs in strings, and
refuses ``1e+5``. So tokens are checked here. Each token that is wrong becomes a mistake; where its
meaning is plain, a stand-in of the same length takes its place, and the rest of the document can
still be checked at its true positions.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

MAX_DEPTH = 64
"""Deepest nesting of objects and lists. A description needs eight levels."""

MAX_MISTAKES = 200
"""Mistakes after which reading stops: the file is something else than a description."""

MAX_IN_STRING = 10
"""Mistakes that are shown of one string."""

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
    |(?P<string>"(?:[^"\\\n]|\\[^\n])*")
    |(?P<mark>[{}\[\]:,])
    |(?P<number>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![\w.+-]))
    |(?P<constant>(?:true|false|null)(?![\w.+-]))
    |(?P<comment>//[^\n]*|/\*.*?\*/|\#[^\n]*)
    |(?P<open_comment>/\*.*)
    |(?P<open_string>"[^\n]*)
    |(?P<apostrophes>'[^'"\\\n]*')
    |(?P<word>[\w.+$-]+)
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_CONTROL = re.compile(r"[\x00-\x1f]")
_ESCAPE = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(?P<lone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
    r'|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4}'
    r"|(?P<bad>\\u[0-9a-fA-F]{0,3}|\\.)"
)
_NON_ASCII = re.compile(r"[^\x00-\x7f]")

_NOT_NUMBERS = {"nan", "infinity", "inf"}
_OTHER_LANGUAGES = {"True": "true", "False": "false", "None": "null", "undefined": "null"}


@dataclass(frozen=True, slots=True)
class Mistake:
    """Something in the text that is not JSON, at ``text[start:end]``."""

    code: str
    start: int
    end: int
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    start: int
    end: int


@dataclass(slots=True)
class Scan:
    """What the tokens say about a text.

    ``standin`` is ASCII text of the same length, so that byte offsets in it are character offsets
    in the source. ``guessed`` says where values start that were replaced.
    """

    tokens: list[Token] = field(default_factory=list[Token])
    mistakes: list[Mistake] = field(default_factory=list[Mistake])
    standin: str = ""
    guessed: set[int] = field(default_factory=set[int])
    broken_at: int | None = None
    """Where the first token without a plain meaning is: the document cannot be checked further."""

    def give_up(self, at: int) -> None:
        self.broken_at = at if self.broken_at is None else self.broken_at


def scan(text: str) -> Scan:
    """Split a text into tokens and check each of them.

    Strings in apostrophes are one mistake: whoever pastes a dictionary of Python has many.
    """
    result = _scan(text)
    strings = [token for token in result.tokens if token.kind == "apostrophes"]
    if strings:
        first, more = strings[0], len(strings) - 1
        others = f", and {more} more" if more else ""
        hint = 'write it in double quotes: "…"'
        if more:
            hint = 'write them in double quotes: "…"; in Python, json.dump does'
        message = f"a string in apostrophes{others}"
        result.mistakes.append(Mistake("ND012", first.start, first.end, message, hint))
    return result


def _scan(text: str) -> Scan:
    result = Scan()
    parts: list[str] = []
    depth = 0
    for match in _TOKEN.finditer(text):
        kind, raw = match.lastgroup or "other", match.group()
        if len(result.mistakes) >= MAX_MISTAKES:
            message = f"more than {MAX_MISTAKES} mistakes; the rest of the file was not read"
            result.mistakes.append(Mistake("ND007", match.start(), match.end(), message))
            result.give_up(0)
            return result
        if kind == "space":
            parts.append(raw)
            continue
        if kind == "mark":
            depth += (raw in "{[") - (raw in "}]")
            if depth > MAX_DEPTH:
                message = f"objects and lists are nested more than {MAX_DEPTH} deep"
                result.mistakes.append(Mistake("ND006", match.start(), match.end(), message))
                result.give_up(match.start())
                return result
            _blank_trailing_comma(text, raw, result, parts, match.start())
            parts.append(raw)
        elif kind == "string":
            parts.append(_string(raw, match.start(), result))
        elif kind in ("number", "constant"):
            # The grammar knows no plus sign in an exponent.
            parts.append(raw.replace("+", "0"))
        else:
            parts.append(_wrong(kind, raw, match.start(), result))
            if kind in ("comment", "open_comment", "other"):
                continue
        result.tokens.append(Token(raw if kind == "mark" else kind, match.start(), match.end()))
    result.standin = "".join(parts)
    return result


def _blank_trailing_comma(text: str, raw: str, result: Scan, parts: list[str], end: int) -> None:
    """A comma before a closing bracket is reported and taken out of the stand-in."""
    if raw not in "}]" or len(result.tokens) < 2 or result.tokens[-1].kind != ",":
        return
    if result.tokens[-2].kind in ("{", "[", ",", ":"):
        return  # "[,]" lacks a value; that is another mistake
    comma = result.tokens.pop()
    hint = "take the comma away"
    message = f'a comma before "{raw}"'
    result.mistakes.append(Mistake("ND008", comma.start, comma.end, message, hint))
    position = end
    for index in range(len(parts) - 1, -1, -1):
        position -= len(parts[index])
        if position == comma.start:
            parts[index] = " "
            return


def _string(raw: str, start: int, result: Scan) -> str:
    """Check a string in double quotes; returns it as ASCII of the same length."""
    found = list(itertools.islice(_string_mistakes(raw, start), MAX_IN_STRING))
    if not found:
        return _NON_ASCII.sub("x", raw)
    result.mistakes.extend(found)
    result.guessed.add(start)
    return '"' + "x" * (len(raw) - 2) + '"'


def _string_mistakes(raw: str, start: int) -> Iterator[Mistake]:
    for control in _CONTROL.finditer(raw):
        name = {"\t": "a tab", "\r": "a carriage return"}.get(control[0], "a control character")
        escape = {"\t": "\\t", "\r": "\\r"}.get(control[0], f"\\u{ord(control[0]):04x}")
        at = start + control.start()
        yield Mistake("ND012", at, at + 1, f"{name} inside a string", f"write {escape}")
    if "\\" not in raw:
        return
    for escape in _ESCAPE.finditer(raw):
        at, end = start + escape.start(), start + escape.end()
        if escape["bad"]:
            hint = 'write \\\\ for a backslash; a path takes "/" on every system'
            yield Mistake("ND012", at, end, f"{escape['bad']} is no escape", hint)
        elif escape["lone"]:
            hint = "a surrogate needs its other half"
            yield Mistake("ND012", at, end, f"{escape['lone']} is half a character", hint)


def _wrong(kind: str, raw: str, start: int, result: Scan) -> str:
    """Report a token that is not JSON; returns what stands in for it."""
    end = start + len(raw)
    blank = re.sub(r"[^\n]", " ", raw)

    def report(code: str, message: str, hint: str = "") -> None:
        result.mistakes.append(Mistake(code, start, end, message, hint))

    if kind == "comment":
        report("ND009", "JSON has no comments", 'a document has "description" for remarks')
        return blank
    if kind == "open_comment":
        report("ND009", "a comment that is never closed", "JSON has no comments")
        result.give_up(start)
        return blank
    if kind == "apostrophes":  # reported in the end, once for all
        return '"' + _NON_ASCII.sub("x", raw[1:-1]) + '"'
    if kind == "word" and raw.lstrip("+-").lower() in _NOT_NUMBERS:
        report("ND010", f"JSON has no number {raw}", "write a finite number")
    elif kind == "word" and raw in _OTHER_LANGUAGES:
        report("ND007", f"JSON has no {raw}", f"write {_OTHER_LANGUAGES[raw]}")
    elif kind == "word" and re.match(r"[-+.]*(?:[0-9]|$)", raw):
        report("ND013", f"{_cut(raw)} is no number in JSON", _number_hint(raw))
    elif kind == "word":
        report("ND007", f"{_cut(raw)} without quotes", f'write "{_cut(raw)}"')
        result.give_up(start)
        return blank
    elif kind == "open_string":
        report("ND012", "a string that is not closed on its line", 'put a " at its end')
        result.give_up(start)
        return blank
    else:
        shown = raw if raw.isprintable() else f"U+{ord(raw):04X}"
        report("ND007", f"{shown} does not belong here")
        # A stray space of another kind means nothing; a stray semicolon may mean a comma.
        if raw.isprintable() and not raw.isspace():
            result.give_up(start)
        return blank
    result.guessed.add(start)
    return "0" + " " * (len(raw) - 1)


def _number_hint(raw: str) -> str:
    if raw.startswith("+"):
        return "write no plus sign before a number"
    if re.match(r"-?\.", raw):
        return "write a digit before the point"
    if re.match(r"-?[0-9]+\.(?:[eE]|$)", raw):
        return "write a digit after the point"
    if re.match(r"-?0[0-9]", raw):
        return "write no zeros before a number"
    return "write digits, with a point and an exponent if need be: 12, 0.5, 1e-3"


def _cut(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"
