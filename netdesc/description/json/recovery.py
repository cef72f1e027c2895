"""Reads damaged JSON: repairs each error and produces the tokens of a valid text.

Notations of other languages are replaced by JSON, and unreadable values by ``null``.
"""

from __future__ import annotations

import bisect
import json
import re
from dataclasses import dataclass, field

from netdesc.description.json.brackets import describe_unmatched, find_unmatched
from netdesc.description.json.collector import (
    Collector,
    SecondarySpan,
    TextDiagnostic,
    Unrecoverable,
    edit,
    show,
)
from netdesc.description.json.lexer import CLOSING, OPENING, GrammarState, Token, read_token
from netdesc.description.json.scalars import (
    CONSTANTS,
    NOT_FINITE,
    check_number,
    check_string,
    number_fits,
    plain_number,
    requote,
)
from netdesc.description.json.slips import SyntaxErrorContext, describe, describe_unclear, find_slip
from netdesc.description.json.tree import MAX_DEPTH, Span

MAX_TOKENS = 1_000_000
"""Damaged texts with more tokens are not read. They would take seconds and a gigabyte."""

_MAX_SEARCHES = 3
"""Largest number of searches for a wrong bracket in one text."""
_UNUSUAL = re.compile(r"[\x00-\x1f\\]")
_DECIMAL_COMMA = re.compile(r'-?[0-9]{1,20},[0-9]{1,400}(?=\s*(?:[}\]]|,\s*"[^"\n]*"\s*[:=]))')
_HAS_MORE_TEXT = re.compile(r'"|\n\s*\S')
_START = Token("", 0, 0, "")


@dataclass(slots=True)
class _Frame:
    """An object or a list that is being read."""

    opening: Token
    key: str | int
    """The name or index of the current entry."""
    names: dict[str, Span] = field(default_factory=dict[str, Span])
    dropped: int | None = None
    """If the current key is a duplicate: index in ``Recovery.tokens`` of the comma before it."""


class Recovery:
    """Reads one damaged text: repairs it and writes the tokens of valid JSON."""

    def __init__(self, text: str, collector: Collector) -> None:
        self._text = text
        """The text, in which everything before the current token is repaired."""
        self._collector = collector
        self._shifts: list[tuple[int, int, int]] = [(0, 0, 0)]
        """(start, end, growth) of each repair. Start and end are offsets in the repaired text.

        Growth is the number of characters that all repairs so far have added to the text.
        """
        self._state = GrammarState()
        self._searches = 0
        """Number of searches for a wrong bracket so far."""
        self._recorded_until = -1
        """Offset in the file of the last comment or foreign space that has a diagnostic."""
        self._token_count = 0
        self._unreadable: set[int] = set()
        """Offsets in the repaired text of unreadable values."""
        self._frames: list[_Frame] = []
        """The objects and lists that are being read, the innermost last."""
        self._last_value = _START
        """The token of the previous value; for an object or list, its opening bracket."""
        self.tokens: list[tuple[str, int, int]] = []
        """The tokens of the valid text: (text, start in the file, end in the file)."""

    def read(self, at: int) -> None:
        """Reads the document at an offset. Raises Unrecoverable if an error cannot be repaired."""
        before = _START._replace(start=at, end=at)
        last = ""
        while before.kind != ".":
            token = self._read_token(before.end)
            if self._state.expects(token.kind):
                self._accept(before)
                last = self._state.last
                self._state.take(token.kind)
                if len(self._state.open) > MAX_DEPTH:
                    message = f"objects and lists are nested more than {MAX_DEPTH} deep"
                    self._add("ND006", token, message)
                    raise Unrecoverable
                before = token
            else:
                self._state.undo(before.kind, last)
                following = self._read_token(token.end)
                self._repair(SyntaxErrorContext(self._text, before, token, following, self._state))
                before = _START._replace(start=before.start, end=before.start)

    def _read_token(self, at: int) -> Token:
        """Returns the next token, and records the comments before it as diagnostics.

        Raises Unrecoverable if a comment is not closed, and after ``MAX_TOKENS`` tokens.
        """
        while True:
            token = read_token(self._text, at)
            self._token_count += 1
            if self._token_count > MAX_TOKENS:
                self._add_first_error(token)
                raise Unrecoverable
            if token.kind != " ":
                break
            at, span = token.end, self._span(token)
            if span[0] > self._recorded_until:
                self._recorded_until = span[0]
                is_comment = token.group == "comment"
                edits = [] if is_comment else [(*span, " ")]
                self._collector.add_notation("comments" if is_comment else "spaces", span, *edits)
        if token.group == "open_comment":
            self._add("ND009", token, "a comment that is not closed", "JSON has no comments")
            raise Unrecoverable
        if self._state.last == ":" and token.group == "number":
            decimal = _DECIMAL_COMMA.match(self._text, token.start)
            token = token if decimal is None else Token("v", *decimal.span(), "word")
        return token

    def _add_first_error(self, token: Token) -> None:
        """Reports the first error of a text that is too long to be repaired."""
        start = self._place(token.start)
        try:
            json.loads(self._collector.text)
        except json.JSONDecodeError as problem:
            start = problem.pos
        except (ValueError, RecursionError):
            pass
        message = "from here on the text is not JSON"
        self._collector.add(TextDiagnostic("ND007", start, start, message))

    # Places and diagnostics

    def _place(self, offset: int) -> int:
        """Converts an offset in the repaired text to an offset in the file."""
        start, end, growth = self._shifts[-1]
        if offset >= end:
            return offset - growth
        index = bisect.bisect_right(self._shifts, offset, key=lambda shift: shift[0]) - 1
        start, end, growth = self._shifts[index]
        if offset >= end:
            return offset - growth
        return start - self._shifts[index - 1][2]

    def _span(self, token: Token) -> Span:
        return self._place(token.start), self._place(token.end)

    def _add(self, code: str, token: Token, message: str, hint: str = "") -> None:
        self._collector.add(TextDiagnostic(code, *self._span(token), message, hint))

    def _add_described(self, found: TextDiagnostic) -> None:
        """Records a diagnostic after converting its offsets from the repaired text to the file."""
        place, fix = self._place, found.fix
        if fix is not None:
            edits = ((place(each.start), place(each.end), each.replacement) for each in fix.edits)
            fix = edit(fix.title, *edits)
        related = tuple(
            SecondarySpan(place(each.start), place(each.end), each.message)
            for each in found.related
        )
        start, end = place(found.start), place(found.end)
        self._collector.add(found._replace(start=start, end=end, fix=fix, related=related))

    # Repairs

    def _repair(self, context: SyntaxErrorContext) -> None:
        """Repairs the error at an unexpected token. Raises Unrecoverable if that is impossible."""
        text, before, token = self._text, context.before, context.token
        self._searches += 1
        unmatched = find_unmatched(text) if self._searches <= _MAX_SEARCHES else None
        if unmatched is None and self._is_unmatched(context):
            opened = [frame.opening for frame in self._frames]
            opened = [*opened, before] if before.kind in CLOSING else opened
            opened = opened[:-1] if before.kind in OPENING else opened
            unmatched = describe_unmatched(text, opened, token)
        if unmatched is not None:
            self._add_described(unmatched)
            raise Unrecoverable
        slip = find_slip(context)
        if slip is None:
            self._add_described(describe_unclear(context, self._last_value))
            raise Unrecoverable
        self._add_described(describe(slip, context))
        self._replace(slip.start, slip.end, slip.repaired)
        if slip.repaired == ": null":
            self._collector.is_lossy = True  # the string may be a value, not a name
        elif slip.repaired == "null":
            self._unreadable.add(slip.start + len(slip.repaired) - len("null"))

    def _is_unmatched(self, context: SyntaxErrorContext) -> bool:
        """Returns True if a token closes no open bracket, or the text ends inside brackets."""
        token = context.token
        if token.kind in OPENING:
            return OPENING[token.kind] != context.container
        is_cut_off = token.group == "quote" and not _HAS_MORE_TEXT.search(self._text, token.end)
        return (token.kind == "." or is_cut_off) and context.container != ""

    def _replace(self, start: int, end: int, repaired: str) -> None:
        self._text = self._text[:start] + repaired + self._text[end:]
        last = self._shifts[-1]
        start = max(start, last[0])
        growth = last[2] + len(repaired) - (end - start)
        self._shifts.append((start, start + len(repaired), growth))

    # Tokens

    def _accept(self, token: Token) -> None:
        """Writes the JSON form of a token that is valid at its place, and updates ``_frames``."""
        kind, span = token.kind, self._span(token)
        if self._text[token.start : token.end] in ("(", ")"):
            self._collector.add_notation("tuples", span, (*span, kind))
        if kind in CLOSING:
            self.tokens.append((kind, *span))
            self._frames.append(_Frame(token, 0))
        elif kind in OPENING:
            self._drop()
            self.tokens.append((kind, *span))
            self._last_value = self._frames.pop().opening
        elif kind == ",":
            self._drop()
            self.tokens.append((kind, *span))
            frame = self._frames[-1]
            frame.key = frame.key + 1 if isinstance(frame.key, int) else frame.key
        elif kind == ":":
            self.tokens.append((kind, *span))
        elif kind == "k":
            self._accept_key(token)
        elif kind in ("s", "v"):
            self._last_value = token
            text = self._string(token) if kind == "s" else self._scalar(token)
            if text is None or token.start in self._unreadable:
                text = "null"
                self._collector.guessed[span[0]] = tuple(frame.key for frame in self._frames)
            self.tokens.append((text, *span))

    def _drop(self) -> None:
        """Removes the tokens of the current entry if its key is a duplicate."""
        frame = self._frames[-1]
        if frame.dropped is not None:
            del self.tokens[frame.dropped :]
            frame.dropped = None

    def _accept_key(self, token: Token) -> None:
        frame, span = self._frames[-1], self._span(token)
        text = self._string(token)
        if text is None:
            self._collector.is_lossy = True
            text = json.dumps(show(self._text[token.start : token.end]))
        name = str(json.loads(text))
        if name in frame.names:
            first = frame.names[name]
            line = self._collector.text.count("\n", 0, first[0]) + 1
            message = f"the key {json.dumps(name, ensure_ascii=False)} occurs twice in one object"
            related = (SecondarySpan(*first, "the first one is here"),)
            hint = f"first in line {line}"
            self._collector.add(TextDiagnostic("ND011", *span, message, hint, None, related))
            frame.dropped = len(self.tokens) - 1
        frame.names.setdefault(name, span)
        frame.key = name
        self.tokens.append((text, *span))

    def _string(self, token: Token) -> str | None:
        """Returns the JSON form of a string; ``None`` if its content is not certain."""
        raw, span = self._text[token.start : token.end], self._span(token)
        if token.group in ("string", "key"):
            errors = check_string(raw, token.start) if _UNUSUAL.search(raw) is not None else []
            for error in errors:
                self._add_described(error)
            return raw if not errors else None
        if token.group == "quoted":
            text = requote(raw)
            edits = [(*span, text)] if text is not None else []
            kind = "apostrophes" if raw[0] == "'" else "typographic"
            self._collector.add_notation(kind, span, *edits)
            return text
        edits = [(span[0], span[0], '"'), (span[1], span[1], '"')] if token.kind == "k" else []
        self._collector.add_notation("names", span, *edits)
        return f'"{raw}"'

    def _scalar(self, token: Token) -> str | None:
        """Returns the JSON form of a number or constant; ``None`` if its value is not certain."""
        raw, span = self._text[token.start : token.end], self._span(token)
        if raw in CONSTANTS:
            edits = [] if raw in ("undefined", "nil") else [(*span, CONSTANTS[raw])]
            self._collector.add_notation("constants", span, *edits)
            return CONSTANTS[raw]
        if token.group == "constant" or (
            token.group == "number" and raw.isdecimal() and len(raw) < 16
        ):
            return raw
        error = check_number(raw, span)
        if error is None:
            return raw
        self._collector.add(error)
        plain = None if NOT_FINITE.fullmatch(raw) else plain_number(raw)
        if plain is None or not number_fits(plain):
            return None
        return plain.removesuffix(".0") if raw.endswith(".") else plain  # 100. may be an integer
