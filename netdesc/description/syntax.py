"""Reads damaged JSON: names each mistake once, and makes of the rest what it plainly says.

What is sound is read by the standard library (see ``nodes``). This reader takes the objects and
lists around a mistake, token by token, and goes on behind it as the writer most likely meant. A
value that cannot be known becomes a guess, and what may be lost makes its object doubtful: checks
of the meaning leave both alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from netdesc.description.brackets import CLOSING, Bracket, Brackets
from netdesc.description.closings import Closings
from netdesc.description.members import Members
from netdesc.description.nodes import Node, sound, sound_items
from netdesc.description.openings import Openings
from netdesc.description.reading import Lost, Reading, span
from netdesc.description.scalars import Scalars
from netdesc.description.tokens import MAX_DEPTH, Elsewhere, Token, cut, edit, token_at

_TRIES = 3
"""Characters, as a multiple of the text, that may be read in vain in search of sound values."""
_COST = 100
"""What each try costs at least."""


class Reader(Reading):
    """Reads a text that is not sound JSON."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._brackets = Brackets(text)
        self._scalars = Scalars(self, self._brackets)
        self._tries = _TRIES * len(text)
        self._not_sound = -1
        self._openings = Openings(self, self._brackets)
        self._closings = Closings(self, self._brackets)
        self._members = Members(self, self._scalars, self._drop)

    def read(self) -> Node | None:
        """The document, or ``None`` where too little of it can be told."""
        try:
            return self._document()
        except Lost:
            return None

    def _document(self) -> Node | None:
        token = self.peek()
        if token.kind == "end":
            if not self.mistakes:
                end = min(1, len(self.text))
                self.report("ND002", (0, end), "the file holds no JSON")
            return None
        if token.kind in ("word", "other", "equals", ":"):
            token = self._foreword(token)
        root = self._without_brace(token) if self.is_key(token) else self._value()
        rest = self.peek()
        if rest.kind in ("{", "["):
            self.report_at(rest, "a second document begins here", "a file holds one document")
        elif rest.kind in CLOSING.values():
            if token is rest:
                return None  # it was reported as what stands in the place of a value
            self.report_at(rest, f'"{rest.kind}" closes nothing', "take it away")
        elif rest.kind != "end":
            self.report_at(rest, f"{self.shown(rest)} after the end of the document")
        return root

    def _foreword(self, token: Token) -> Token:
        """What stands before the document, such as ``network =``; the document's first token."""
        start = self.text.find("{", token.start)
        is_alone = start < 0 or "\n" in self.text[token.start : start]
        end = token.end if is_alone else start
        message = (
            f'a document begins with "{{", not with {cut(self.text[token.start : end].strip())}'
        )
        self.report("ND007", (token.start, end), message)
        if is_alone:
            raise Lost
        self.move(start)
        return self.peek()

    def _without_brace(self, token: Token) -> Node:
        """An object that begins with its first name."""
        hint = (
            'add "{" here' if self._brackets.open else 'a document is an object: {"format": 1, …}'
        )
        self.report_at(token, f'"{{" is missing before {self.shown(token)}', hint)
        self._brackets.surplus += 1
        return self._object(Token("{", token.start, token.start))

    # Values

    def _value(self) -> Node:
        is_told = False
        while True:
            token = self.peek()
            if token.kind in CLOSING:
                return self._nested(token)
            if self._brackets.surplus < 0 and self.is_key(token):
                return self._without_brace(token)
            if self._scalars.starts(token):
                node = self._scalars.value()
                if node is not None:
                    return node
            elif token.kind == ":":
                fix = edit("take the colon away", (*span(token), ""))
                self.report_at(token, "a colon too many", "take the colon away", fix)
                self.take()
            elif token.kind in ("other", "equals"):
                self.report_at(token, f"{self.shown(token)} does not belong here")
                self.take()
                is_told = True
            else:
                if token.kind != "end" and not is_told:
                    self.report_at(token, f"a value is missing before {self.shown(token)}")
                return self.unknown(token.start, token.start)

    def _nested(self, token: Token) -> Node:
        brackets = self._brackets
        if len(brackets.open) >= MAX_DEPTH:
            message = f"objects and lists are nested more than {MAX_DEPTH} deep"
            self.report("ND006", span(token), message)
            raise Lost
        if token.kind == "(":
            return self._tuple(token)
        if brackets.open and self._tries > 0 and token.start != self._not_sound:
            found = sound(self.text, token.start, MAX_DEPTH - len(brackets.open))
            if not isinstance(found, Node):
                self._tried(found, token.start)
            elif brackets.may_trust(found.start, found.end):
                self.move(found.end)
                return found
        self.take()
        self._openings.take_double(token)
        meant = self._openings.meant(token)
        also = "" if meant is token else CLOSING[token.kind]
        node = self._object(meant, also) if meant.kind == "{" else self._list(meant, also)
        return node if meant is token else self._openings.told(token, meant, node)

    def _tried(self, end: int, start: int) -> None:
        """A value is not sound, which was found by reading that far."""
        self._not_sound = start
        self._tries -= end - start + _COST

    def _object(self, token: Token, also: str = "") -> Node:
        node = Node(token.start, token.end, {})
        for _ in self._entries(token, node, also):
            self._member(node)
        node.end = self.last
        return node

    def _list(self, token: Token, also: str = "") -> Node:
        node = Node(token.start, token.end, [])
        for _ in self._entries(token, node, also):
            self._sound_items(node)
            self.path.append(len(node.value))
            node.add(len(node.value), self._value())
            self.path.pop()
        node.end = self.last
        return node

    def _sound_items(self, node: Node) -> None:
        """Take the items up to one that is not sound: a long list has one mistake or two."""
        brackets, at = self._brackets, self.peek().start
        if self._tries <= 0:
            return
        for item, next_at in sound_items(self.text, at, MAX_DEPTH - len(brackets.open)):
            if not isinstance(item, Node):
                self._tried(item, next_at)
                break
            if not brackets.may_trust(item.start, item.end) or brackets.is_dedented(next_at):
                break
            self.count(1)
            node.add(len(node.value), item)
            self.move(next_at)

    def _tuple(self, token: Token) -> Node:
        self.take()
        node = self._list(token)
        before = self.text[token.end : node.end - 1].rstrip()
        is_list = before.endswith(",") or len(node.value) != 1
        if not is_list or self.text[node.end - 1] != ")":
            self.foreign.note("tuples", *span(token))
            return node
        end = token.end + len(before.removesuffix(","))
        edits = ((*span(token), "["), (end, node.end, "]"))
        self.foreign.note("tuples", *span(token), *edits)
        return node

    def _lacks_bracket(self, value: Node) -> bool:
        """True for the value of a member that is the first item of a list without its bracket."""
        behind = self.peek()
        if isinstance(value.value, list):
            return False
        if behind.kind == "]" and self._brackets.surplus < 0 and self._brackets.lacks("["):
            return "\n" in self.text[value.start : behind.start]
        return self._is_item(behind, like=value)

    def _is_item(self, comma: Token, like: Node) -> bool:
        """True where what follows the value of a member is no name, but another value like it."""
        if comma.kind != ",":
            return False
        token, brackets = token_at(self.text, comma.end), self._brackets
        if token.kind in ("string", "quoted"):
            is_value = token_at(self.text, token.end).kind in (",", "]")
            return is_value and brackets.lacks("[") and isinstance(like.value, str)
        if token.kind == "{":
            return brackets.surplus <= 0 and isinstance(like.value, dict)
        if token.kind != "number" or not isinstance(like.value, int | float):
            return False
        is_decimal = token.start == comma.end and not brackets.lacks("[")
        return not is_decimal and not self.is_key(token)

    def _without_bracket(self, first: Node) -> Node:
        """A list that begins with its first item."""
        node = Node(first.start, first.end, [])
        node.add(0, first)
        while self._is_item(self.peek(), like=first):
            self.take()
            self.path.append(len(node.value))
            node.add(len(node.value), self._value())
            self.path.pop()
        behind = self.peek()
        token = token_at(self.text, first.start)
        if behind.kind != "]" or not self._brackets.lacks("["):
            hint = "write it in brackets: […]"
            self.report("ND007", span(token), "a list without brackets", hint)
            return self.unknown(first.start, self.last)
        related = (Elsewhere(*span(behind), "closes the list"),)
        message = f'"[" is missing before {self.shown(token)}'
        self.report("ND007", span(token), message, 'add "[" here', None, related)
        self._brackets.surplus += 1
        self.take()
        if len(node.value) == 1:
            return self.unknown(first.start, self.last)  # the closing bracket may be the slip
        node.end = self.last
        return node

    # Entries of objects and lists

    def _entries(self, token: Token, node: Node, also: str = "") -> Iterator[None]:
        """Stops at each entry, and takes what stands between, before and behind them."""
        bracket = self._brackets.enter(token)
        bracket.also = also
        comma: Token | None = None
        is_separated = True
        while not self._closings.closes(bracket, comma, node):
            token = self.peek()
            if token.kind == "," and is_separated:
                fix = edit("take the comma away", (*span(token), ""))
                self.report_at(
                    token,
                    "a comma too many",
                    "take the comma away",
                    fix if bracket.kind == "{" else None,
                )
                self.take()
                comma = None
            elif token.kind == ",":
                comma, is_separated = self.take(), True
            elif token.kind == ";" and not is_separated:
                fix = edit("write a comma", (*span(token), ","))
                self.report_at(token, '";" where a comma belongs', "write a comma", fix)
                self.take()
                is_separated = True
            elif is_separated or self._separates(bracket, token, node):
                bracket.has_entries, comma = True, None
                yield
                is_separated = self._closings.take_comma()
            else:
                is_separated = self._closings.take_comma()
        self._brackets.leave()

    def _separates(self, bracket: Bracket, token: Token, node: Node) -> bool:
        """What follows an entry without a comma; true where it is the next entry."""
        if token.kind in (":", "equals"):
            message = f"{self.shown(token)} where a comma or the end belongs"
            self.report_at(token, message.replace('":"', "a colon"))
            self.doubt_last(node)
            self.take()
            self._drop()
            return False
        is_entry = self.is_key(token) if bracket.kind == "{" else token.kind != "other"
        if is_entry and self.was_told():
            return True
        if is_entry:
            message = f'"," or "{bracket.closing}" is missing before {self.shown(token)}'
            fix = edit("add a comma", (self.last, self.last, ","))
            self.report("ND007", self.behind(), message, "add a comma here", fix)
            return True
        if not self.was_told():
            hint = f'"," or "{bracket.closing}" follows a value'
            self.report_at(token, f"{self.shown(token)} does not belong here", hint)
            if token.start == self.last:
                self.doubt_last(node)  # 90% and 1/100 are not what stands before the sign
        self._drop()
        return False

    def _drop(self) -> None:
        """Take a value, or what stands in its place, and forget what it says."""
        before = self.last
        self.doubtful.append(tuple(self.path))
        with self.forgetting():
            self._value()
        if self.last == before and self.peek().kind not in ("end", "}", "]", ")", ","):
            self.take()

    # Members of objects

    def _member(self, node: Node) -> None:
        token = self.peek()
        if token.kind == "number" and self._members.is_decimal_comma(node, token):
            return
        name = self._members.name(token)
        if name is None:
            return
        place = (token.start, self.last)
        self.path.append(name)
        if self._members.colon(token):
            child = self._value()
        else:
            self.doubtful.append(tuple(self.path[:-1]))
            child = self.unknown(self.last, self.last)
        if self._lacks_bracket(child):
            child = self._without_bracket(child)
        self.path.pop()
        if name not in node.keys:
            node.add(name, child, place)
            return
        first = node.keys[name]
        line = self.line(first[0])
        message = f"the key {json.dumps(name, ensure_ascii=False)} occurs twice in one object"
        related = (Elsewhere(*first, "here it is first"),)
        self.report("ND011", place, message, f"first in line {line}", None, related)
