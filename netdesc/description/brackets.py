"""Which bracket is missing or too many, where brackets do not match.

The marks alone do not tell: a document that lacks one in its middle is wrong at its very end. The
number of brackets says whether one is missing, is too many or is of the wrong kind, and how lines
are indented says where one is missing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from netdesc.description.tokens import Elsewhere, Token

CLOSING = {"{": "}", "[": "]", "(": ")"}

_NO_BRACKETS = re.compile(
    r'"[^"\\\n]*+(?:\\[^\n][^"\\\n]*+)*+"?|//[^\n]*|/\*.*?\*/|\#[^\n]*|[^"{}\[\]/#]+|/', re.DOTALL
)
_FARTHEST = 1000
"""So far the beginning of a line is looked for."""


@dataclass(slots=True)
class Bracket:
    """An object or a list that is being read."""

    kind: str
    start: int
    indent: int
    """Of the line in which it opens."""
    is_flat: bool = False
    """True where its own entries are not indented, so that indentation says nothing."""
    is_indented: bool = False
    """True where a line of its own entries is."""
    has_entries: bool = False
    also: str = ""
    """What closes it as well, where it was opened by a bracket of the other kind."""

    @property
    def closing(self) -> str:
        return CLOSING[self.kind]


class Brackets:
    """The brackets that are open at a place of the text, and how many of the text have no twin."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.open: list[Bracket] = []
        marks = _NO_BRACKETS.sub("", text)
        self.surplus = sum(marks.count(each) for each in "{[") - sum(
            marks.count(each) for each in "}]"
        )
        """Opening brackets less closing ones: more than 0 where one is missing."""
        self._more = {
            opening: marks.count(opening) - marks.count(CLOSING[opening]) for opening in "{["
        }

    def enter(self, token: Token) -> Bracket:
        bracket = Bracket(token.kind, token.start, self._indent(token.start))
        self.open.append(bracket)
        return bracket

    def leave(self) -> None:
        self.open.pop()

    def lacks(self, opening: str) -> bool:
        """True where the whole text has more closing brackets of a kind than opening ones."""
        return self._more[opening] < 0

    def is_too_many(self, opening: str) -> bool:
        """True where an opening bracket of this kind may be one that nothing closes."""
        return self.surplus > 0 and self._more[opening] > 0

    def verdict(self, token: Token) -> Literal["missing", "stray", "mistaken"]:
        """What a closing bracket means that does not fit the innermost open one."""
        fits = any(bracket.closing == token.kind for bracket in self.open[:-1])
        if self.surplus > 0 and fits:
            self.surplus -= 1
            return "missing"
        if self.surplus < 0:
            self.surplus += 1
            return "stray"
        return "mistaken"

    def ended_before(self, token: Token) -> bool:
        """True where a line is indented as if the innermost bracket were closed before it."""
        bracket = self.open[-1]
        column = self._column_of_line(token.start)
        if column is None or bracket.kind == "(":
            return False
        is_closing = token.kind in ("}", "]")
        if not is_closing and column > bracket.indent:
            bracket.is_indented = True
        if not bracket.has_entries and not is_closing and column <= bracket.indent:
            bracket.is_flat = True
        if self.surplus <= 0 or len(self.open) < 2 or bracket.is_flat:
            return False
        if column > bracket.indent or (column == bracket.indent and is_closing):
            return False
        self.surplus -= 1
        return True

    def goes_on(self, bracket: Bracket, token: Token, behind: Token) -> bool:
        """True where lines say that a bracket is not closed yet by one that could close it."""
        column = self._column_of_line(behind.start)
        if column is None or bracket.is_flat or not bracket.is_indented:
            return False
        if self._column_of_line(token.start) == bracket.indent:
            return False
        is_closing = behind.kind == bracket.closing
        return column == bracket.indent if is_closing else column > bracket.indent

    def is_dedented(self, start: int) -> bool:
        """True where an entry begins that may be none of the innermost bracket."""
        if self.surplus <= 0:
            return False
        column = self._column_of_line(start)
        return column is not None and column <= self.open[-1].indent

    def may_trust(self, start: int, end: int) -> bool:
        """False where a value is sound by itself but ends where a bracket of another should.

        Where a closing bracket is missing, the object that lacks it takes in what follows it; and
        where one is too many, it ends too early.
        """
        if self.surplus == 0:
            return True
        column = self._column_of_line(end - 1)
        if column is None:
            return self.text.find("\n", start, end) < 0
        return column == self._indent(start)

    def where_opened(self, bracket: Bracket) -> tuple[Elsewhere, ...]:
        message = f'the "{bracket.kind}" that is not closed'
        return (Elsewhere(bracket.start, bracket.start + 1, message),)

    def _column_of_line(self, start: int) -> int | None:
        """How far a token is indented, if it is the first of its line."""
        line = self._line_start(start)
        return start - line if line and not self.text[line:start].strip() else None

    def _indent(self, start: int) -> int:
        before = self.text[self._line_start(start) : start]
        return len(before) - len(before.lstrip())

    def _line_start(self, start: int) -> int:
        """The beginning of a line, or of the part of a long one that is looked at."""
        nearest = max(0, start - _FARTHEST)
        return max(nearest, self.text.rfind("\n", nearest, start) + 1)
