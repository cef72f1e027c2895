"""Where a string ends whose quotes are wrong: one is missing, one is too many, or a line breaks it.

A quote too many or too few turns the rest of its line inside out: names stand outside of strings
and commas inside. What follows a string tells which it is, and where the text goes on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from netdesc.description.tokens import Mistake, Token, cut, edit, token_at

_LONGEST = 10_000
"""So far a closing quote is looked for in other lines."""

_CLOSES_HERE = re.compile(r'"(?=[ \t]*(?:[,:}\]]|\r?$))', re.MULTILINE)
_NEXT_LINE = re.compile(r'[^\n]*\n\s*(?:["{}\[\]]|$)')
_TYPOGRAPHIC = tuple("“”„‟‘’‚‛")
_SCALAR = re.compile(r"-?[0-9]+(?:\.[0-9]+)?|true|false|null")
_MARKS = " \t\r,:{}[]"
_ENDS_HERE = re.compile(r'"[ \t]*(?::|[,}\]]|\r?$)', re.MULTILINE)
_WORD = re.compile(r"[ \t]*(?:[^\W\d]|\$|[.~]{0,2}/)")
_LETTERS = re.compile(r"\w{1,3}(?=[ \t]*(?:[,:}\]]|\r?$))", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Mended:
    """``text[start:end]`` is what the string says, if that is plain; reading goes on at ``at``."""

    mistake: Mistake
    start: int
    end: int
    at: int
    is_plain: bool
    said: str = ""
    """What the string says, where that is more than one piece of the text."""


def mend_string(text: str, token: Token, *, is_key: bool) -> Mended | None:
    """What to make of a string behind which stands what cannot; ``None`` if all is well."""
    behind = text[token.end : token.end + 1]
    if behind == '"':
        # "name"": or "hidden"",
        if _ENDS_HERE.match(text, token.end):
            return _stray(token.end, token.start + 1, token.end - 1, token.end + 1)
        return None
    if _WORD.match(text, token.end) is None:
        return None
    letters = _LETTERS.match(text, token.end)
    if letters is not None and text[token.end - 2] not in f'"{_MARKS}':
        return _early(text, token, letters.end())
    line_end = _line_end(text, token.end)
    if not behind.strip() and text.count('"', token.end, line_end) % 2 == 0:
        return None  # ["a" true, "b"] lacks a comma
    inside = text[token.start + 1 : token.end - 1]
    if not inside.strip(_MARKS) and behind.strip():
        # ""hidden" or "{"steps"
        return _stray(token.start, token.start, token.start, token.start + 1)
    end = _end_inside(inside, is_key)
    if end is not None:
        return _not_closed(text, token.start, token.start + 1 + end)
    closing = _CLOSES_HERE.search(text, token.end, line_end)
    if closing is None:
        return None
    mistake = Mistake(
        "ND012", token.end - 1, token.end, "a quote inside a string", 'write \\" for it'
    )
    return Mended(mistake, token.start + 1, closing.start(), closing.end(), is_plain=False)


def _early(text: str, token: Token, end: int) -> Mended:
    """A string whose last quote stands before its last letters."""
    said = text[token.start + 1 : token.end - 1] + text[token.end : end]
    message = f"{text[token.end : end]} stands behind the last quote"
    mistake = Mistake("ND012", token.start, end, message, f'write "{cut(said)}"')
    return Mended(mistake, token.start + 1, end, end, is_plain=True, said=said)


def mend_separator(text: str, token: Token, *, is_key: bool) -> Mended | None:
    """What to make of a string that took in the colon or the comma behind it."""
    mark, name = (":", "colon") if is_key else (",", "comma")
    inside = text[token.start + 1 : token.end - 1]
    behind = token_at(text, token.end)
    ends = (":", "equals") if is_key else (",", ":", "}", "]", ")", "end")
    if not inside.endswith(mark) or len(inside) < 2 or behind.kind in ends:
        return None
    end = token.end
    fix = edit(f"put the {name} behind the quote", (end - 2, end, f'"{mark}'))
    message = f"the {name} stands inside the quotes"
    mistake = Mistake("ND012", end - 2, end, message, f"put the {name} behind the quote", fix)
    return Mended(mistake, token.start + 1, end - 2, end, is_plain=True)


def _end_inside(inside: str, is_key: bool) -> int | None:
    """Where a string should have ended that took in the beginning of the next one."""
    end = len(inside.rstrip(_MARKS))
    if not inside[end:].strip():
        return None
    if is_key and (colon := re.match(r"\s*[\w$-]+['’”]?\s*(?=:)", inside)):
        return len(colon[0].rstrip())
    return end


def mend_open_string(text: str, token: Token, *, is_key: bool) -> Mended:
    """What to make of a string that is not closed on its line."""
    inside = text[token.start + 1 : token.end]
    if not inside.strip(_MARKS):
        return _stray(token.start, token.start, token.start, token.start + 1)
    name = re.match(r"\s*[\w$-]+['’”]?(?=\s*:)", inside) if is_key else None
    if name is not None:
        return _not_closed(text, token.start, token.start + 1 + name.end())
    if not is_key and not _NEXT_LINE.match(text, token.start):
        closing = _CLOSES_HERE.search(text, token.end, token.end + _LONGEST)
        if closing is not None:
            end = token.start + 1 + len(inside.rstrip())
            hint = "write \\n for it, or all of the string on one line"
            message = "a line break inside a string"
            mistake = Mistake("ND012", token.start, end, message, hint)
            return Mended(mistake, token.start + 1, closing.start(), closing.end(), is_plain=False)
    return _not_closed(text, token.start, token.start + 1 + len(inside.rstrip(_MARKS)))


def _not_closed(text: str, start: int, end: int) -> Mended:
    inside = text[start + 1 : end]
    if _SCALAR.fullmatch(inside):
        # "24, "step_ms"
        return _stray(start, start, start, start + 1)
    if inside[-1:] in ("'", *_TYPOGRAPHIC):
        fix = edit("write a straight quote", (end - 1, end, '"'))
        message = f"{inside[-1]} closes no string"
        mistake = Mistake("ND012", end - 1, end, message, 'write "', fix)
        return Mended(mistake, start + 1, end - 1, end, is_plain=True)
    hint = f'put a " after {cut(text[start + 1 : end])}'
    mistake = Mistake("ND012", start, end, "a string that is not closed", hint)
    return Mended(mistake, start + 1, end, end, is_plain=True)


def _stray(quote: int, start: int, end: int, at: int) -> Mended:
    mistake = Mistake("ND012", quote, quote + 1, "a quote too many", "take it away")
    return Mended(mistake, start, end, at, is_plain=start < end)


def lacks_opening(text: str, token: Token) -> Mistake | None:
    """The mistake of a word that a quote follows: the quote before it is missing, or is stray."""
    if text[token.end : token.end + 1] != '"':
        return None
    if token.kind == "word":
        word = cut(text[token.start : token.end])
        message, hint = f"{word} lacks its first quote", f'write "{word}"'
        return Mistake("ND012", token.start, token.end + 1, message, hint)
    return Mistake("ND012", token.end, token.end + 1, "a quote too many", "take it away")


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end
