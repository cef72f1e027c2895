"""Finds the slip (a wrong quote, comma or colon) that makes a line invalid JSON.

The correction of every possible slip is tried, the most likely first, until one makes the line
valid. Whole lines are tried because a surplus or missing quote swaps the inside and the outside of
all later strings in its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from netdesc.description.json.collector import TextDiagnostic, cut, edit, show
from netdesc.description.json.lexer import (
    CLOSING,
    OPENING,
    GrammarState,
    Token,
    read_token,
    read_tokens,
)

_MAX_LINE = 400
"""Largest number of characters of a line that are read for each correction."""
_MAX_TOKEN = 400
"""Largest number of characters that are read after a line, for the token that follows it."""
_ALL_VALID = 1 << 30
_MIN_GAIN = 1
"""If no correction makes a line valid, the best must add more than this many valid tokens."""

_END = r"(?=[ \t]*(?:[,:}\]]|\r?$))"
_FIRST_PATTERNS = (
    ("stray", r'"(?=")|(?<=")"|"(?=(?:-?[0-9][0-9.]*|true|false|null)[ \t]*[,}\]\r\n])', ""),
    ("stray", r'(?<=[0-9])"(?=[ \t]*[,}\]\r\n])', ""),
    ("foreign", r"['‘’‚‛“”„‟`]", r'"'),
    ("separator", r'([,:])"', r'"\1'),
)
_LAST_PATTERNS = (
    ("unclosed", r'(?<=[^\s,:\[{"])' + _END, '"'),
    ("unopened", r'(?<=[\s:,\[{])(?=[^\s,:\[\]{}"])|\A(?=[^\s,:\[\]{}"])', '"'),
    ("stray", '"', ""),
    ("unquoted", rf"(?=[^\s/]{{0,400}}/)[^\"\s,{{}}\[\]()']{{1,400}}{_END}", r'"\g<0>"'),
    (
        "unquoted",
        r"(?<![\w\"])(?=[^\W\d]+[ \t]+[^\W\d])[^\"'\n{}\[\]]{1,400}?(?=,?[ \t]*\r?$)",
        r'"\g<0>"',
    ),
    ("inside", r'"[^\n]*"(?=[ \t]*[,:}\]]*[ \t]*\r?$)', "null"),
)
_UNNAMED = re.compile(r"\s*(?:\}|,\s*-?[0-9.]+\s*[,}\]])")
_LINE_BREAK = re.compile(rf'"[^"\n]*\n\s*(?=[^\s"{{}}\[\]])[^"]{{0,10000}}"{_END}', re.MULTILINE)


class Slip(NamedTuple):
    """A wrong quote, comma or colon. ``repaired`` is the correction of ``text[start:end]``."""

    kind: str
    start: int
    end: int
    repaired: str


class SyntaxErrorContext(NamedTuple):
    """An unexpected token in a text, with the tokens before and after it."""

    text: str
    before: Token
    token: Token
    following: Token
    state: GrammarState
    """The state of the grammar before the token ``before``."""

    @property
    def container(self) -> str:
        """The opening bracket around ``token``; empty outside of all brackets."""
        if self.before.kind in CLOSING:
            return self.before.kind
        depth = 2 if self.before.kind in OPENING else 1
        return self.state.open[-depth] if len(self.state.open) >= depth else ""


def find_slip(context: SyntaxErrorContext) -> Slip | None:
    """Returns the most likely slip, or ``None`` if no correction improves the line."""
    text, token, before = context.text, context.token, context.before
    if before.kind == "," and token.kind in OPENING and context.state.expects(token.kind):
        return Slip("mark too many", before.start, before.end, "")  # whatever the line has besides
    if token.kind == "," and before.kind in ("{", ",") and context.state.open[-1:] == ["{"]:
        return Slip("mark too many", token.start, token.end, "")
    line_end = text.find("\n", token.start)
    line_end = len(text) if line_end < 0 else line_end
    last = min(read_token(text, line_end).start, token.start + _MAX_LINE)
    best, best_count = None, _count_valid(context, Slip("", last, last, ""), last) + _MIN_GAIN
    for slip in _slips(context, min(line_end, last)):
        count = _count_valid(context, slip, max(last, slip.end + 1))
        if count == _ALL_VALID:
            return slip
        is_guess = slip.repaired.endswith("null") or text[slip.start : slip.end] == ":"
        if count > best_count and not is_guess:
            best, best_count = slip, count
    return best


def _count_valid(context: SyntaxErrorContext, slip: Slip, last: int) -> int:
    """Counts the valid tokens from ``context.before`` after the correction of a slip.

    Returns ``_ALL_VALID`` if all tokens up to the offset ``last`` are valid.
    """
    start, following = context.before.start, context.text[slip.end : last + _MAX_TOKEN]
    line = context.text[start : slip.start] + slip.repaired + following
    last += len(slip.repaired) - (slip.end - slip.start) - start
    state = context.state.copy()
    for count, token in enumerate(read_tokens(line)):
        if token.start > last:
            break
        if not state.expects(token.kind):
            return count
        state.take(token.kind)
    return _ALL_VALID


def _slips(context: SyntaxErrorContext, stop: int) -> Iterator[Slip]:
    """Yields the possible slips in a line that ends at ``stop``, the most likely first."""
    yield from _search(_FIRST_PATTERNS, context, stop)
    yield from _slips_of_marks(context)
    yield from _search(_LAST_PATTERNS, context, stop)
    if found := _LINE_BREAK.match(context.text, context.token.start):
        yield Slip("line break", *found.span(), "null")


def _search(
    patterns: Sequence[tuple[str, str, str]], context: SyntaxErrorContext, stop: int
) -> Iterator[Slip]:
    start = max(context.before.start, context.token.start - _MAX_LINE)
    for kind, pattern, repaired in patterns:
        found = list(re.compile(pattern, re.MULTILINE).finditer(context.text, start, stop))
        for match in reversed(found) if kind == "stray" else found:
            yield Slip(kind, *match.span(), match.expand(repaired))


def _slips_of_marks(context: SyntaxErrorContext) -> Iterator[Slip]:
    before, token, following = context.before, context.token, context.following
    marks = [each for each in (token, before, following) if each.kind in (",", ":", ";", "=")]
    for each in marks:
        if each.kind != ":" or before.kind == ":":
            yield Slip("wrong mark", each.start, each.end, ",")
        if token.kind in ("s", "="):
            yield Slip("wrong mark", each.start, each.end, ":")
        yield Slip("mark too many", each.start, each.end, "")
    yield Slip("no mark", before.end, before.end, ",")
    if token.kind == "s":
        yield Slip("no mark", token.end, token.end, ":")
    if before.kind in (":", "="):
        yield Slip("no value", token.start, token.start, "null")
    if token.group == "string":
        yield Slip("no value", token.end, token.end, ": null")


_QUOTES = {
    # kind: message, hint
    "stray": ("a quote too many", "remove it"),
    "opens": ("{old} opens no string", 'write "'),
    "closes": ("{old} closes no string", 'write "'),
    "separator": ("{old} stands inside the quotes", "move it out of the quotes"),
    "unopened": ("a string without its first quote", "write {written}"),
    "unclosed": ("a string that is not closed", "write {written}"),
    "unquoted": ("{old} without quotes", "write it in double quotes"),
    "inside": ("a quote inside a string", 'write \\" for it'),
    "line break": ("a line break inside a string", "write \\n for it, or all of it on one line"),
}
_CERTAIN = ("foreign", "separator", "unquoted")


def describe(slip: Slip, context: SyntaxErrorContext) -> TextDiagnostic:
    """Returns the diagnostic of a slip."""
    if "mark" in slip.kind or slip.kind == "no value":
        return _describe_mark(slip, context)
    text, span, kind = context.text, (slip.start, slip.end), slip.kind
    old = text[slice(*span)]
    first = min(context.token.start, slip.start)
    following = text[slip.end : slip.end + _MAX_LINE]
    string = read_token(text[first : slip.start] + slip.repaired + following, 0)
    written = (text[first : slip.start] + slip.repaired + following)[: string.end]
    if kind == "foreign":
        kind = "opens" if slip.start == first else "closes"
    elif kind in ("unopened", "unclosed"):  # the whole string is marked
        span = first, first + string.end - len(slip.repaired) + len(old)
    elif kind == "inside":
        second = slip.start + old.index('"', 1)
        span = second, second + 1
    elif kind == "line break":
        span = slip.start, slip.start + len(old.partition("\n")[0].rstrip())
    shown = cut(old) if kind == "unquoted" else old.strip('"')
    message, hint = (each.format(old=shown, written=cut(written)) for each in _QUOTES[kind])
    fix = edit(hint, (*span, slip.repaired)) if slip.kind in _CERTAIN else None
    return TextDiagnostic("ND012", *span, message, hint, fix)


def _describe_mark(slip: Slip, context: SyntaxErrorContext) -> TextDiagnostic:
    text, span, old = context.text, (slip.start, slip.end), context.text[slip.start : slip.end]
    following = read_token(text, slip.end)
    shown = show(text[following.start : following.end])
    name = "colon" if ":" in (slip.repaired or old) else "comma"
    code, last_character = "ND007", (max(0, slip.start - 1), slip.start)
    fix_span, is_certain = span, slip.kind != "no value"
    match slip.kind:
        case "wrong mark":
            message, hint = f"{show(old)} where a {name} belongs", f"write a {name}"
            is_certain = old != ":"
        case "mark too many":
            message, hint = f"a {name} too many", f"remove the {name}"
            if old == "," and context.token.kind == following.kind in OPENING:
                code, message = "ND008", f"a comma before {shown}"
            elif old == "," and context.container == "[":
                is_certain = False  # an item may be missing
        case "no mark" if following.kind != ".":  # where a file is cut off, more may be missing
            marks = '":"' if name == "colon" else f'"," or "{CLOSING[context.container]}"'
            message, hint = f"{marks} is missing before {shown}", f"add a {name} here"
            span = last_character
        case _ if slip.repaired == "null":
            span, hint = (following.start, following.end), ""
            message = f"a value is missing before {shown}"
        case _:
            is_certain = False
            span, hint = last_character, 'add ":" and a value'
            message = f"{show(text[context.token.start : context.token.end])} has no value"
    fix = edit(hint, (*fix_span, slip.repaired)) if is_certain else None
    return TextDiagnostic(code, *span, message, hint, fix)


def describe_unclear(context: SyntaxErrorContext, value: Token) -> TextDiagnostic:
    """Returns the diagnostic of an unexpected token that cannot be corrected.

    ``value`` is the last value before this token; for an object or list, its opening bracket.
    """
    text, before, token, following = context.text, context.before, context.token, context.following
    raw = text[token.start : token.end]
    shown, container, here, hint = show(raw), context.container, token, ""
    if token.group == "quote":
        line = text[token.start :].partition("\n")[0].rstrip()
        here = token._replace(end=token.start + len(line))
        message, hint = _QUOTES["unclosed"][0], 'put a " after it'
        return TextDiagnostic("ND012", here.start, here.end, message, hint)
    if before.kind == "{" and token.kind == "v" and _UNNAMED.match(text, token.end):
        here, message, hint = before, 'a list in "{"', "write a list as […]"
    elif before.kind == "[" and token.kind == "k":
        here, message, hint = before, 'an object in "["', "write an object as {…}"
    elif container == "{" and before.kind == "," and token.kind == value.kind in ("v", "{"):
        here, message, hint = value, "a list without brackets", "write it in brackets: […]"
    elif before.kind == ":" and token.kind == "k":
        here, message = following, "a colon where a comma or the end belongs"
    elif container == "{" and before.kind in ("{", ",") and token.kind in (":", *CLOSING):
        message = f"a name is missing before {shown}"
    elif container == "{" and before.kind in ("{", ","):
        message = f"a name in double quotes belongs here, not {shown}"
        hint = f'write "{cut(raw)}":' if following.kind in CLOSING else ""
    elif container:
        message = f"{shown} does not belong here"
        hint = f'"," or "{CLOSING[container]}" follows a value' if before.kind in "sv}]" else ""
    elif token.kind in CLOSING:
        message, hint = "a second document begins here", "a file holds one document"
    else:
        message = f"{shown} after the end of the document"
    return TextDiagnostic("ND007", here.start, here.end, message, hint)
