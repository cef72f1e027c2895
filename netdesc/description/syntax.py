"""Reads damaged JSON: names each mistake once, and makes of the rest what it plainly says.

What is sound is read by the standard library (see ``nodes``). This reader takes the objects and
lists around a mistake, token by token, and goes on behind it as the writer most likely meant. A
value that cannot be known becomes a guess, and what may be lost makes its object doubtful: checks
of the meaning leave both alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from netdesc.description.brackets import CLOSING, Bracket, Brackets
from netdesc.description.nodes import Node, sound, sound_items
from netdesc.description.plain import members
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
        self._has_comma = False
        """True where a comma was taken inside of an object, and belongs behind it."""
        self._is_cut = False

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
        return self._object(token) if token.kind == "{" else self._list(token)

    def _tried(self, end: int, start: int) -> None:
        """A value is not sound, which was found by reading that far."""
        self._not_sound = start
        self._tries -= end - start + _COST

    def _object(self, token: Token) -> Node:
        node = Node(token.start, token.end, {})
        for _ in self._entries(token, node):
            self._member(node)
        node.end = self.last
        return node

    def _list(self, token: Token) -> Node:
        node = Node(token.start, token.end, [])
        for _ in self._entries(token, node):
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

    # Entries of objects and lists

    def _entries(self, token: Token, node: Node) -> Iterator[None]:
        """Stops at each entry, and takes what stands between, before and behind them."""
        bracket = self._brackets.enter(token)
        comma: Token | None = None
        is_separated = True
        while not self._closes(bracket, comma, node):
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
            elif is_separated or self._separates(bracket, token, node):
                bracket.has_entries, comma = True, None
                yield
                is_separated, self._has_comma = self._has_comma, False
            else:
                is_separated = self._has_comma
                self._has_comma = False
        self._brackets.leave()

    def _separates(self, bracket: Bracket, token: Token, node: Node) -> bool:
        """What follows an entry without a comma; true where it is the next entry."""
        if token.kind == ";":
            fix = edit("write a comma", (*span(token), ","))
            self.report_at(token, '";" where a comma belongs', "write a comma", fix)
            self.take()
            self._has_comma = True
            return False
        if token.kind in (":", "equals"):
            message = f"{self.shown(token)} where a comma or the end belongs"
            self.report_at(token, message.replace('":"', "a colon"))
            self._doubt_last(node)
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
        self._drop()
        return False

    def _drop(self) -> None:
        """Take a value, or what stands in its place, and forget what it says."""
        before = self.last
        with self.forgetting():
            self._value()
        if self.last == before and self.peek().kind not in ("end", "}", "]", ")", ","):
            self.take()

    def _closes(self, bracket: Bracket, comma: Token | None, node: Node) -> bool:
        """True where an object or a list ends; its bracket is taken then, if it is there."""
        while True:
            token = self.peek()
            if token.kind == "end":
                self._cut_off(bracket)
                return True
            if self._brackets.ended_before(token):
                self._missing(bracket, comma)
                return True
            if token.kind not in CLOSING.values():
                return False
            if token.kind == bracket.closing and not self._is_early(token):
                self.take()
                self._trailing(bracket, comma, token)
                return True
            if self._wrong_bracket(bracket, comma, token):
                return True
            self._doubt_last(node)

    def _wrong_bracket(self, bracket: Bracket, comma: Token | None, token: Token) -> bool:
        """A closing bracket that does not fit; true where the innermost one ends all the same."""
        if bracket.kind == "(" and token.kind != ")":
            self._missing(bracket, comma)
            return True
        verdict = self._brackets.verdict(token)
        if verdict == "missing":
            self._missing(bracket, comma)
            return True
        if verdict == "stray":
            self.report_at(token, f'"{token.kind}" closes nothing', "take it away")
            self.take()
            return False
        message = f'"{token.kind}" cannot close the "{bracket.kind}" of line {self._line(bracket)}'
        related = self._brackets.where_opened(bracket)
        self.report("ND007", span(token), message, f'write "{bracket.closing}"', None, related)
        self.take()
        return True

    def _is_early(self, token: Token) -> bool:
        """True where a bracket would end the document, one is too many, and names follow."""
        if len(self._brackets.open) > 1 or self._brackets.surplus >= 0:
            return False
        behind = token_at(self.text, token.end)
        return behind.kind == "," or self.is_key(behind)

    def _doubt_last(self, node: Node) -> None:
        """What was read last is not what was meant: a bracket is missing before it."""
        if node.value:
            key = next(reversed(members(node.value)))
            self.doubt(node.children[key].start, (*self.path, key))

    def _trailing(self, bracket: Bracket, comma: Token | None, token: Token) -> None:
        if comma is None or bracket.kind == "(":
            return
        message, hint = f'a comma before "{token.kind}"', "take the comma away"
        fix = edit(hint, (*span(comma), ""))
        self.report("ND008", span(comma), message, hint, fix)

    def _missing(self, bracket: Bracket, comma: Token | None) -> None:
        """A closing bracket that is not there, before the comma that was taken last."""
        end = comma.start if comma is not None else self.last
        message = (
            f'"{bracket.closing}" is missing: line {self._line(bracket)} opens "{bracket.kind}"'
        )
        related = self._brackets.where_opened(bracket)
        hint = f'add "{bracket.closing}" here'
        self.report("ND007", (max(0, end - 1), end), message, hint, None, related)
        self._has_comma = comma is not None

    def _cut_off(self, bracket: Bracket) -> None:
        """The text ends while brackets are open."""
        if self._is_cut:
            return
        self._is_cut = True
        brackets = self._brackets.open
        closing = "".join(each.closing for each in reversed(brackets))
        message = (
            f'the file ends, and the "{bracket.kind}" of line {self._line(bracket)} is not closed'
        )
        related = self._brackets.where_opened(bracket)
        self.report("ND007", self.behind(), message, f"add {closing}", None, related)
        if len(brackets) > 1 or not bracket.is_indented:
            raise Lost
        self.doubtful.append(())

    def _line(self, bracket: Bracket) -> int:
        return self.text.count("\n", 0, bracket.start) + 1

    # Members of objects

    def _member(self, node: Node) -> None:
        token = self.peek()
        if token.kind == "number" and self._is_decimal_comma(node, token):
            return
        name = self._name(token)
        if name is None:
            return
        place = (token.start, self.last)
        self.path.append(name)
        child = self._value() if self._colon(token) else self.unknown(self.last, self.last)
        self.path.pop()
        if name not in node.keys:
            node.add(name, child, place)
            return
        first = node.keys[name]
        line = self.text.count("\n", 0, first[0]) + 1
        message = f"the key {json.dumps(name, ensure_ascii=False)} occurs twice in one object"
        related = (Elsewhere(*first, "here it is first"),)
        self.report("ND011", place, message, f"first in line {line}", None, related)

    def _name(self, token: Token) -> str | None:
        """Takes the name of a member; ``None`` where there is none."""
        is_bare = token.kind in ("word", "number", "constant")
        if is_bare and not self.is_key(token) and self.text[token.end : token.end + 1] != '"':
            message = f"a name in double quotes belongs here, not {self.shown(token)}"
            self.report_at(token, message)
            self.take()
            return None
        if self._scalars.is_name(token):
            node = self._scalars.name()
            if node is None or isinstance(node.value, str):
                return node.value if node is not None else None
            self._colon(token)
            self._drop()
            return None
        if token.kind == ":" or token.kind in CLOSING:
            self.report_at(token, f"a name is missing before {self.shown(token)}")
            if token.kind == ":":
                self.take()
            self._drop()
            return None
        self.report_at(token, f"{self.shown(token)} does not belong here")
        self.take()
        return None

    def _colon(self, key: Token) -> bool:
        """Takes what stands between a name and its value; false where there is no value."""
        token = self.peek()
        if token.kind == ":":
            self.take()
            return True
        if token.kind == "equals":
            fix = edit("write a colon", (*span(token), ":"))
            self.report_at(
                token, f"{self.shown(token)} where a colon belongs", "write a colon", fix
            )
            self.take()
            return True
        if token.kind == "end" or self.was_told():
            return False
        if token.kind in (",", ";", "}", "]", ")") or self.is_key(token):
            message = f"{self.shown(key)} has no value"
            self.report("ND007", self.behind(), message, 'add ":" and a value')
            return False
        fix = edit("add a colon", (self.last, self.last, ":"))
        message = f'":" is missing before {self.shown(token)}'
        self.report("ND007", self.behind(), message, "add a colon here", fix)
        return True

    def _is_decimal_comma(self, node: Node, token: Token) -> bool:
        """Takes the digits behind a decimal comma."""
        before = re.search(r"(-?[0-9]{1,20}),\Z", self.text[max(0, token.start - 22) : token.start])
        if before is None or not node.children or self.is_key(token):
            return False
        self.take()
        start = token.start - len(before[0])
        written = before[1] + "." + self.text[token.start : token.end]
        message = f"{self.text[start : token.end]} is no number in JSON"
        fix = edit("write a decimal point", (token.start - 1, token.start, "."))
        self.report("ND013", (start, token.end), message, f"write {written}", fix)
        self._doubt_last(node)
        return True
