"""Opening brackets that are wrong: one too many, or of the other kind than what follows it."""

from __future__ import annotations

from netdesc.description.brackets import CLOSING, Brackets
from netdesc.description.nodes import Node
from netdesc.description.reading import Reading, span
from netdesc.description.tokens import Token, token_at

_OTHER = {"{": "[", "[": "{"}
_KINDS = {"{": "an object", "[": "a list"}


class Openings:
    """Tells what an opening bracket is meant to be."""

    def __init__(self, reading: Reading, brackets: Brackets) -> None:
        self._reading = reading
        self._brackets = brackets

    def take_double(self, token: Token) -> None:
        """Takes a bracket that only doubles the one before it, where one is too many.

        Neither an object in the place of a name nor a list of lists is anything.
        """
        reading, second = self._reading, self._reading.peek()
        if second.kind != token.kind or not self._brackets.is_too_many(token.kind):
            return
        if token_at(reading.text, second.end).kind not in (token.kind, "end"):
            reading.report_at(second, f'a "{token.kind}" too many', "take it away")
            reading.take()
            self._brackets.surplus -= 1

    def meant(self, token: Token) -> Token:
        """The bracket that should stand there, by what follows it."""
        first = self._reading.peek()
        if token.kind == "{":
            is_other = self._begins_list(first)
        else:
            is_other = self._reading.is_key(first) and self._brackets.surplus >= 0
        return Token(_OTHER[token.kind], token.start, token.end) if is_other else token

    def _begins_list(self, first: Token) -> bool:
        if first.kind == "{":
            return self._brackets.lacks("[")
        if first.kind != "number":
            return False
        text = self._reading.text
        behind = token_at(text, first.end)
        if behind.kind == ",":
            return token_at(text, behind.end).kind == "number"
        return behind.kind in ("}", "]")

    def told(self, token: Token, meant: Token, node: Node) -> Node:
        """Report a bracket of the wrong kind, now that it is known how its object or list ends."""
        reading, kind = self._reading, meant.kind
        closing = reading.text[node.end - 1]
        if closing == CLOSING[kind]:
            message = f'"{token.kind}" cannot open what "{closing}" closes'
            reading.report("ND007", span(token), message, f'write "{kind}"')
            return node
        message, hint = f'{_KINDS[kind]} in "{token.kind}"', f"{kind}…{CLOSING[kind]}"
        reading.report("ND007", span(token), message, f"write {_KINDS[kind]} as {hint}")
        return reading.unknown(node.start, node.end)
