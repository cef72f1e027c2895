"""Finds a bracket that is missing, surplus or of the wrong kind.

If a bracket is missing in the middle of a document, a parser finds the error only at the end.
Therefore every possible correction is tried. If several corrections give valid JSON, the one whose
nesting fits the indentation of the lines best is reported.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from netdesc.description.json.collector import SecondarySpan, TextDiagnostic, show
from netdesc.description.json.lexer import CLOSING, OPENING, GrammarState, Token, read_tokens

_MAX_SEARCHED = 2000
"""Texts with more tokens are not searched, because the search would take over a second."""
_MAX_INDENT = 1000
"""The start of a line is searched in at most this many characters before a token."""

_OTHER = {"{": "[", "[": "{", "}": "]", "]": "}"}


class _BracketSlip(NamedTuple):
    """An error in the brackets, and its correction.

    ``kind`` is ``wrong`` (a bracket of the other type), ``unclosed`` or ``unopened`` (a bracket is
    missing) or ``stray`` (a bracket too many). The correction replaces ``tokens[first:last]`` by
    tokens of the kinds ``kinds``.
    """

    kind: str
    first: int
    last: int
    kinds: tuple[str, ...] = ()


def find_unmatched(text: str) -> TextDiagnostic | None:
    """Reports the most likely wrong bracket; ``None`` if no single change gives valid JSON."""
    tokens = list(itertools.islice(read_tokens(text), _MAX_SEARCHED + 1))
    if len(tokens) > _MAX_SEARCHED:
        return None
    slips = list(_possible_slips(tokens))
    if not slips:
        return None
    columns = [_column(text, token.start) for token in tokens]
    slip = min(slips, key=lambda each: _penalty(each, tokens, columns))
    return _describe(slip, slips, text, tokens)


def _open_brackets(tokens: Sequence[Token]) -> list[Token]:
    """Returns the tokens of the opening brackets that are not closed, outermost first."""
    opened: list[Token] = []
    for token in tokens:
        if token.kind in CLOSING:
            opened.append(token)
        elif token.kind in OPENING:
            opened.pop()
    return opened


def _possible_slips(tokens: Sequence[Token]) -> Iterator[_BracketSlip]:
    """Yields every slip whose correction gives valid JSON."""
    kinds = [token.kind for token in tokens]
    surplus = sum((kind in CLOSING) - (kind in OPENING) for kind in kinds)
    state = GrammarState()
    if surplus == 0 and all(kinds.count(kind) == kinds.count(CLOSING[kind]) for kind in CLOSING):
        return
    for at, kind in enumerate(kinds):
        for slip in _slips_at(at, kind, surplus):
            if state.copy().take_all([*slip.kinds, *kinds[slip.last :]]):
                yield slip
        if not state.expects(kind):
            return
        state.take(kind)


def _slips_at(at: int, kind: str, surplus: int) -> Iterator[_BracketSlip]:
    """Yields the slips at the token ``at`` whose correction makes the numbers of brackets equal.

    ``surplus`` is the number of its opening brackets minus the number of its closing ones.
    """
    if surplus == 0 and kind in _OTHER:
        yield _BracketSlip("wrong", at, at + 1, (_OTHER[kind],))
    elif surplus == 1:
        for mark in "}]":
            yield _BracketSlip("unclosed", at, at, (mark,))
            yield _BracketSlip("unclosed", at, at, (mark, ","))
        if kind in CLOSING:
            yield _BracketSlip("stray", at, at + 1)
    elif surplus == -1:
        for mark in "{[":
            yield _BracketSlip("unopened", at, at, (mark,))
        if kind in OPENING:
            yield _BracketSlip("stray", at, at + 1)


def _penalty(
    slip: _BracketSlip, tokens: Sequence[Token], columns: Sequence[int | None]
) -> tuple[int, ...]:
    """Returns the sort key of a slip. The most likely slip has the lowest key.

    The key starts with the number of lines whose indentation is wrong. Its other numbers break
    ties. ``columns`` are the columns of the tokens, from ``_column``.
    """
    inserted = [(kind, None) for kind in slip.kinds]
    if slip.kind == "wrong":
        inserted = [(slip.kinds[0], columns[slip.first])]
    corrected = [(each.kind, column) for each, column in zip(tokens, columns, strict=True)]
    corrected[slip.first : slip.last] = inserted
    penalty = _count_misindented_lines(corrected)
    token, before = tokens[slip.first], tokens[slip.first - 1]
    is_stray = slip.kind == "stray"
    if is_stray and token.kind in OPENING and columns[slip.first] is not None:
        penalty += 2  # a bracket at the start of a line is rarely surplus: its partner is missing
    is_double = is_stray and before.kind == token.kind and before.end == token.start
    is_other = slip.kind == "unopened" or (is_stray and token.kind in CLOSING)
    return penalty, not is_double, is_other, -slip.first


def _count_misindented_lines(tokens: Sequence[tuple[str, int | None]]) -> int:
    """Counts the lines whose indentation does not fit the nesting of brackets.

    ``tokens`` are (kind, column); the column is ``None`` unless the token is the first of its line.
    """
    count, line_column = 0, 0
    opened: list[tuple[int, int | None]] = []  # columns of the opening line and of the entries
    for kind, column in tokens:
        line_column = column if column is not None else line_column
        if kind in OPENING:
            opener, _ = opened.pop()
            count += column not in (None, opener)
        elif column is not None and opened:
            opener, entries = opened[-1]
            count += column <= opener if entries is None else column != entries
            opened[-1] = opener, column if entries is None else entries
        if kind in CLOSING:
            opened.append((line_column, None))
    return count


def _column(text: str, start: int) -> int | None:
    """Returns the column, from 0, of a token that is the first of its line, else ``None``."""
    line = max(text.rfind("\n", 0, start) + 1, start - _MAX_INDENT)
    return start - line if not text[line:start].strip() else None


def _describe(
    slip: _BracketSlip, slips: Sequence[_BracketSlip], text: str, tokens: Sequence[Token]
) -> TextDiagnostic:
    token, before = tokens[slip.first], tokens[slip.first - 1]
    mark, hint = (slip.kinds or ("",))[0], "remove it"
    opened = _open_brackets(tokens[: slip.first])
    if slip.kind == "stray" and token.kind in CLOSING:
        return _diagnostic(token, f'a "{token.kind}" too many', hint)
    if slip.kind == "stray":
        other = next((each for each in slips if each.kind == "unopened"), None)
        if other is not None:
            hint += f', or add "{other.kinds[0]}" before {_shown(text, tokens[other.first])}'
        return _diagnostic(token, f'"{token.kind}" closes nothing', hint)
    if slip.kind == "unopened":
        message = f'"{mark}" is missing before {_shown(text, token)}'
        return _diagnostic(token, message, f'add "{mark}" here')
    if slip.kind == "unclosed":
        message = f'"{mark}" is missing: line {_line(text, opened[-1])} opens "{opened[-1].kind}"'
        last = before._replace(start=before.end - 1)
        return _diagnostic(last, message, f'add "{mark}" here', opened[-1])
    if token.kind in OPENING:
        return describe_unmatched(text, opened, token)
    message = f'"{token.kind}" cannot open what "{CLOSING[mark]}" closes'
    return _diagnostic(token, message, f'write "{mark}"')


def describe_unmatched(text: str, opened: Sequence[Token], token: Token) -> TextDiagnostic:
    """Returns the diagnostic of a wrong closing bracket, or of brackets that are never closed.

    ``opened`` are the opening brackets before ``token`` that are not closed. ``token`` is the wrong
    closing bracket, or the end of the text.
    """
    shown = _shown(text, token)
    if not opened:
        return _diagnostic(token, f"{shown} closes nothing", "remove it")
    opening = opened[-1]
    where = f'the "{opening.kind}" of line {_line(text, opening)}'
    if token.kind in OPENING:
        hint = f'write "{CLOSING[opening.kind]}"'
        return _diagnostic(token, f"{shown} cannot close {where}", hint, opening)
    end = len(text.rstrip())
    last = token._replace(start=end - 1, end=end)
    closing = "".join(CLOSING[each.kind] for each in reversed(opened))
    return _diagnostic(last, f"the file ends, and {where} is not closed", f"add {closing}", opening)


def _diagnostic(
    token: Token, message: str, hint: str, opening: Token | None = None
) -> TextDiagnostic:
    related = ()
    if opening is not None:
        what = f'the "{opening.kind}" that is not closed'
        related = (SecondarySpan(opening.start, opening.end, what),)
    return TextDiagnostic("ND007", token.start, token.end, message, hint, None, related)


def _line(text: str, token: Token) -> int:
    return text.count("\n", 0, token.start) + 1


def _shown(text: str, token: Token) -> str:
    return show(text[token.start : token.end])
