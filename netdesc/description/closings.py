"""Where objects and lists end: their closing brackets, right, wrong, missing or too many."""

from __future__ import annotations

from netdesc.description.brackets import CLOSING, Bracket, Brackets
from netdesc.description.nodes import Node
from netdesc.description.reading import Lost, Reading, span
from netdesc.description.tokens import Token, edit, token_at


class Closings:
    """Takes the closing brackets."""

    def __init__(self, reading: Reading, brackets: Brackets) -> None:
        self._reading = reading
        self._brackets = brackets
        self._has_comma = False
        self._is_cut = False

    def take_comma(self) -> bool:
        """True where a comma was taken inside of an object or a list, and belongs behind it."""
        had_comma, self._has_comma = self._has_comma, False
        return had_comma

    def closes(self, bracket: Bracket, comma: Token | None, node: Node) -> bool:
        """True where an object or a list ends; its bracket is taken then, if it is there.

        ``comma`` is the one before this place, if there is one.
        """
        reading = self._reading
        while True:
            token = reading.peek()
            if token.kind == "end":
                self._cut_off(bracket)
                return True
            if self._brackets.ended_before(token):
                self._missing(bracket, comma)
                return True
            if token.kind not in CLOSING.values():
                return False
            is_right = token.kind in (bracket.closing, bracket.also)
            if is_right and not self._is_early(bracket, token):
                reading.take()
                self._trailing(bracket, comma, token)
                return True
            if self._wrong(bracket, comma, token, node):
                return True
            reading.doubt_last(node)

    def _wrong(self, bracket: Bracket, comma: Token | None, token: Token, node: Node) -> bool:
        """A closing bracket that does not fit; true where the innermost one ends all the same."""
        if bracket.kind == "(" and token.kind != ")":
            self._missing(bracket, comma)
            return True
        verdict = self._brackets.verdict(token)
        if verdict == "missing":
            self._missing(bracket, comma)
            return True
        reading = self._reading
        if verdict == "stray":
            self._stray(bracket, comma, token, node)
            return False
        message = f'"{token.kind}" cannot close the "{bracket.kind}" of line {self._line(bracket)}'
        related = self._brackets.where_opened(bracket)
        reading.report("ND007", span(token), message, f'write "{bracket.closing}"', None, related)
        reading.take()
        return True

    def _stray(self, bracket: Bracket, comma: Token | None, token: Token, node: Node) -> None:
        """A closing bracket too many; or the opening one before the last value is missing."""
        reading, hint = self._reading, "take it away"
        if token.kind == "]" and bracket.kind == "{" and node.value and comma is None:
            key = next(reversed(node.value))
            last = node.children[key]
            first = reading.shown(token_at(reading.text, last.start))
            hint += f', or add "[" before {first}'
            node.add(key, Node(last.start, last.end, None), node.keys[key])
        reading.report_at(token, f'"{token.kind}" closes nothing', hint)
        reading.take()

    def _is_early(self, bracket: Bracket, token: Token) -> bool:
        """True where a bracket fits, but one is too many, and what follows says that it is it."""
        if self._brackets.surplus >= 0:
            return False
        text = self._reading.text
        behind = token_at(text, token.end)
        if len(self._brackets.open) == 1:
            return behind.kind == "," or self._reading.is_key(behind)
        behind = token_at(text, behind.end) if behind.kind == "," else behind
        return self._brackets.goes_on(bracket, token, behind)

    def _trailing(self, bracket: Bracket, comma: Token | None, token: Token) -> None:
        if comma is None or bracket.kind == "(":
            return
        message, hint = f'a comma before "{token.kind}"', "take the comma away"
        fix = edit(hint, (*span(comma), ""))
        self._reading.report("ND008", span(comma), message, hint, fix)

    def _missing(self, bracket: Bracket, comma: Token | None) -> None:
        """A closing bracket that is not there, before the comma that was taken last."""
        end = comma.start if comma is not None else self._reading.last
        message = (
            f'"{bracket.closing}" is missing: line {self._line(bracket)} opens "{bracket.kind}"'
        )
        related = self._brackets.where_opened(bracket)
        hint = f'add "{bracket.closing}" here'
        place = (max(0, end - 1), end)
        self._reading.report("ND007", place, message, hint, None, related)
        self._has_comma = comma is not None

    def _cut_off(self, bracket: Bracket) -> None:
        """The text ends while brackets are open."""
        if self._is_cut:
            return
        self._is_cut = True
        reading, brackets = self._reading, self._brackets.open
        closing = "".join(each.closing for each in reversed(brackets))
        message = (
            f'the file ends, and the "{bracket.kind}" of line {self._line(bracket)} is not closed'
        )
        related = self._brackets.where_opened(bracket)
        reading.report("ND007", reading.behind(), message, f"add {closing}", None, related)
        if len(brackets) > 1 or not bracket.is_indented:
            raise Lost
        reading.doubtful.append(())

    def _line(self, bracket: Bracket) -> int:
        return self._reading.line(bracket.start)
