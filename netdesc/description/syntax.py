"""Reads damaged JSON: names each mistake once, and makes of the rest what it plainly says.

What is sound is read by the standard library (see ``nodes``). This reader takes the objects and
lists around a mistake, token by token, and goes on behind it as the writer most likely meant. A
value that cannot be known becomes a guess, and what may be lost makes its object doubtful: checks
of the meaning leave both alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

from netdesc.description.brackets import CLOSING, Bracket, Brackets
from netdesc.description.diagnostic import Fix
from netdesc.description.foreign import CONSTANTS, Foreign, is_blank, requoted
from netdesc.description.nodes import Node, Parts, Span, sound
from netdesc.description.quotes import Mended, lacks_opening, mend_open_string, mend_string
from netdesc.description.tokens import (
    MAX_DEPTH,
    MAX_MISTAKES,
    Elsewhere,
    Mistake,
    Token,
    as_number,
    as_string,
    cut,
    edit,
    plain_number,
    string_mistakes,
    token_at,
    too_large,
    wrong_number,
)

_NOT_NUMBERS = {"nan", "infinity", "inf"}
_QUOTES = {"'": "apostrophes", "`": "backquotes"}
_NAMES = ("string", "quoted", "word", "number", "constant")
_MOST_TOKENS = 300_000
"""So many tokens are read by hand once there is a mistake: more would take seconds."""
_TRIES = 16
"""Characters, as a multiple of the text, that may be read in vain in search of sound values."""


class _Lost(Exception):
    """Nothing certain can be said of the rest."""


class Reader:
    """One reading of a text that is not sound JSON."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.guessed: set[int] = set()
        self.doubtful: list[Parts] = []
        self._brackets = Brackets(text)
        self._foreign = Foreign(text)
        self._mistakes: list[Mistake] = []
        self._path: list[str | int] = []
        self._next: Token | None = None
        self._at = 0
        self._last = 0
        """Where the token ends that was taken last."""
        self._tokens = 0
        self._tries = _TRIES * len(text)
        self._has_comma = False
        """True where a comma was taken inside of an object, and belongs behind it."""
        self._is_cut = False
        self._leaves: dict[str, Callable[[Token], Node | None]] = {
            "string": self._string,
            "open_string": self._open_string,
            "number": self._number,
            "constant": self._constant,
            "quoted": self._quoted,
            "word": self._word,
        }

    @property
    def mistakes(self) -> list[Mistake]:
        return self._mistakes + self._foreign.mistakes()

    def read(self) -> Node | None:
        """The document, or ``None`` where too little of it can be told."""
        try:
            return self._document()
        except _Lost:
            return None

    def _document(self) -> Node | None:
        token = self._peek()
        if token.kind == "end":
            if not self.mistakes:
                end = min(1, len(self.text))
                self._report("ND002", (0, end), "the file holds no JSON")
            return None
        root = self._without_brace(token) if self._is_key(token) else self._value()
        rest = self._peek()
        if rest.kind in ("{", "["):
            self._report_at(rest, "a second document begins here", "a file holds one document")
        elif rest.kind in CLOSING.values():
            if token is rest:
                return None  # it was reported as what stands in the place of a value
            self._report_at(rest, f'"{rest.kind}" closes nothing', "take it away")
        elif rest.kind != "end":
            self._report_at(rest, f"{self._shown(rest)} after the end of the document")
        return root

    def _without_brace(self, token: Token) -> Node:
        """A document that begins with its first name."""
        hint = 'a document is an object: {"format": 1, …}'
        self._report_at(token, f'"{{" is missing before {self._shown(token)}', hint)
        self._brackets.surplus += 1
        return self._object(Token("{", token.start, token.start))

    # Tokens

    def _peek(self) -> Token:
        """The next token, behind comments and what looks like nothing."""
        while self._next is None:
            token = token_at(self.text, self._at)
            self._tokens += 1
            if self._tokens > _MOST_TOKENS and self._mistakes:
                message = "the rest of the file was not read"
                self._report_at(Token("", token.start, token.start), message)
                raise _Lost
            if token.kind == "comment":
                self._foreign.note("comments", token.start, token.end)
            elif token.kind == "open_comment":
                hint = "JSON has no comments"
                self._report("ND009", _span(token), "a comment that is never closed", hint)
                raise _Lost
            elif token.kind == "other" and is_blank(self.text[token.start]):
                self._foreign.note("spaces", *_span(token), (*_span(token), " "))
            else:
                self._next = token
            self._at = token.end
        return self._next

    def _take(self) -> Token:
        token = self._peek()
        self._next, self._last = None, token.end
        return token

    def _move(self, at: int) -> None:
        """Read on at an offset."""
        self._next, self._at, self._last = None, at, at

    def _is_key(self, token: Token) -> bool:
        """True for what names a member of an object."""
        if token.kind not in _NAMES:
            return False
        return token_at(self.text, token.end).kind in (":", "equals")

    # Mistakes

    def _report(
        self,
        code: str,
        span: Span,
        message: str,
        hint: str = "",
        fix: Fix | None = None,
        related: tuple[Elsewhere, ...] = (),
    ) -> None:
        self._add(Mistake(code, *span, message, hint, fix, related))

    def _report_at(
        self, token: Token, message: str, hint: str = "", fix: Fix | None = None
    ) -> None:
        self._report("ND007", _span(token), message, hint, fix)

    def _add(self, mistake: Mistake) -> None:
        self._mistakes.append(mistake)
        if len(self._mistakes) >= MAX_MISTAKES:
            message = f"more than {MAX_MISTAKES} mistakes; the rest of the file was not read"
            self._mistakes.append(Mistake("ND007", mistake.end, mistake.end, message))
            raise _Lost

    def _shown(self, token: Token) -> str:
        raw = cut(self.text[token.start : token.end])
        return raw if raw[:1] in ('"', "'") else f'"{raw}"'

    def _behind(self) -> Span:
        """The last character before which all was read."""
        return max(0, self._last - 1), self._last

    def _was_told(self) -> bool:
        """True where the last mistake is about the place behind the last token."""
        return bool(self._mistakes) and self._mistakes[-1].end == self._last

    # Values

    def _value(self) -> Node:
        is_told = False
        while True:
            token = self._peek()
            if token.kind in CLOSING:
                return self._nested(token)
            if token.kind in self._leaves:
                self._take()
                node = self._leaves[token.kind](token)
                if node is not None:
                    return node
            elif token.kind == ":":
                fix = edit("take the colon away", (*_span(token), ""))
                self._report_at(token, "a colon too many", "take the colon away", fix)
                self._take()
            elif token.kind in ("other", "equals"):
                self._report_at(token, f"{self._shown(token)} does not belong here")
                self._take()
                is_told = True
            else:
                if token.kind != "end" and not is_told:
                    self._report_at(token, f"a value is missing before {self._shown(token)}")
                return self._unknown(token.start, token.start)

    def _unknown(self, start: int, end: int) -> Node:
        """A value of which nobody knows what it says."""
        self.guessed.add(start)
        self.doubtful.append(tuple(self._path))
        return Node(start, end, None)

    def _nested(self, token: Token) -> Node:
        brackets = self._brackets
        if len(brackets.open) >= MAX_DEPTH:
            message = f"objects and lists are nested more than {MAX_DEPTH} deep"
            self._report("ND006", _span(token), message)
            raise _Lost
        if token.kind == "(":
            return self._tuple(token)
        if brackets.open and self._tries > 0:
            found = sound(self.text, token.start, MAX_DEPTH - len(brackets.open))
            if not isinstance(found, Node):
                self._tries -= found - token.start
            elif brackets.may_trust(found.start, found.end):
                self._move(found.end)
                return found
        self._take()
        return self._object(token) if token.kind == "{" else self._list(token)

    def _object(self, token: Token) -> Node:
        node = Node(token.start, token.end, {})
        for _ in self._entries(token):
            self._member(node)
        node.end = self._last
        return node

    def _list(self, token: Token) -> Node:
        node = Node(token.start, token.end, [])
        for _ in self._entries(token):
            self._path.append(len(node.value))
            node.append(self._value())
            self._path.pop()
        node.end = self._last
        return node

    def _tuple(self, token: Token) -> Node:
        self._take()
        node = self._list(token)
        before = self.text[token.end : node.end - 1].rstrip()
        is_list = before.endswith(",") or len(node.value) != 1
        if not is_list or self.text[node.end - 1] != ")":
            self._foreign.note("tuples", *_span(token))
            return node
        end = token.end + len(before.removesuffix(","))
        edits = ((*_span(token), "["), (end, node.end, "]"))
        self._foreign.note("tuples", *_span(token), *edits)
        return node

    # Entries of objects and lists

    def _entries(self, token: Token) -> Iterator[None]:
        """Stops at each entry, and takes what stands between, before and behind them."""
        bracket = self._brackets.enter(token)
        comma: Token | None = None
        is_separated = True
        while not self._closes(bracket, comma):
            token = self._peek()
            if token.kind == "," and is_separated:
                fix = edit("take the comma away", (*_span(token), ""))
                self._report_at(
                    token,
                    "a comma too many",
                    "take the comma away",
                    fix if bracket.kind == "{" else None,
                )
                self._take()
                comma = None
            elif token.kind == ",":
                comma, is_separated = self._take(), True
            elif is_separated or self._separates(bracket, token):
                bracket.has_entries, comma = True, None
                yield
                is_separated, self._has_comma = self._has_comma, False
            else:
                is_separated = self._has_comma
                self._has_comma = False
        self._brackets.leave()

    def _separates(self, bracket: Bracket, token: Token) -> bool:
        """What follows an entry without a comma; true where it is the next entry."""
        if token.kind == ";":
            fix = edit("write a comma", (*_span(token), ","))
            self._report_at(token, '";" where a comma belongs', "write a comma", fix)
            self._take()
            self._has_comma = True
            return False
        if token.kind in (":", "equals"):
            message = f"{self._shown(token)} where a comma or the end belongs"
            self._report_at(token, message.replace('":"', "a colon"))
            self._take()
            self._drop()
            return False
        is_entry = self._is_key(token) if bracket.kind == "{" else token.kind != "other"
        if is_entry and self._was_told():
            return True
        if is_entry:
            message = f'"," or "{bracket.closing}" is missing before {self._shown(token)}'
            fix = edit("add a comma", (self._last, self._last, ","))
            self._report("ND007", self._behind(), message, "add a comma here", fix)
            return True
        if not self._was_told():
            hint = f'"," or "{bracket.closing}" follows a value'
            self._report_at(token, f"{self._shown(token)} does not belong here", hint)
        self._drop()
        return False

    def _drop(self) -> None:
        """Read a value, or what stands in its place, and forget what it says."""
        known, guessed = len(self.doubtful), set(self.guessed)
        before = self._last
        self._value()
        if self._last == before and self._peek().kind not in ("end", "}", "]", ")", ","):
            self._take()
        self.guessed = guessed
        del self.doubtful[known:]

    def _closes(self, bracket: Bracket, comma: Token | None) -> bool:
        """True where an object or a list ends; its bracket is taken then, if it is there."""
        while True:
            token = self._peek()
            if token.kind == "end":
                self._cut_off(bracket)
                return True
            if self._brackets.ended_before(token):
                self._missing(bracket, comma)
                return True
            if token.kind not in CLOSING.values():
                return False
            if token.kind == bracket.closing and not self._is_early(token):
                self._take()
                self._trailing(bracket, comma, token)
                return True
            if self._wrong_bracket(bracket, comma, token):
                return True

    def _wrong_bracket(self, bracket: Bracket, comma: Token | None, token: Token) -> bool:
        """A closing bracket that does not fit; true where the innermost one ends all the same."""
        if bracket.kind == "(" and token.kind != ")":
            self._missing(bracket, comma)
            return True
        verdict = "stray" if token.kind == ")" else self._brackets.verdict(token)
        if verdict == "missing":
            self._missing(bracket, comma)
            return True
        if verdict == "stray":
            self._report_at(token, f'"{token.kind}" closes nothing', "take it away")
            self._take()
            return False
        message = f'"{token.kind}" cannot close the "{bracket.kind}" of line {self._line(bracket)}'
        related = self._brackets.where_opened(bracket)
        self._report("ND007", _span(token), message, f'write "{bracket.closing}"', None, related)
        self._take()
        return True

    def _is_early(self, token: Token) -> bool:
        """True where a bracket would end the document, one is too many, and names follow."""
        if len(self._brackets.open) > 1 or self._brackets.surplus >= 0:
            return False
        behind = token_at(self.text, token.end)
        return behind.kind == "," or self._is_key(behind)

    def _trailing(self, bracket: Bracket, comma: Token | None, token: Token) -> None:
        if comma is None or bracket.kind == "(":
            return
        message, hint = f'a comma before "{token.kind}"', "take the comma away"
        fix = edit(hint, (*_span(comma), ""))
        self._report("ND008", _span(comma), message, hint, fix)

    def _missing(self, bracket: Bracket, comma: Token | None) -> None:
        """A closing bracket that is not there, before the comma that was taken last."""
        end = comma.start if comma is not None else self._last
        message = (
            f'"{bracket.closing}" is missing: line {self._line(bracket)} opens "{bracket.kind}"'
        )
        related = self._brackets.where_opened(bracket)
        hint = f'add "{bracket.closing}" here'
        self._report("ND007", (max(0, end - 1), end), message, hint, None, related)
        self._has_comma = comma is not None

    def _cut_off(self, bracket: Bracket) -> None:
        """The text ends while brackets are open."""
        if self._is_cut:
            return
        self._is_cut = True
        brackets = self._brackets.open
        closing = "".join(each.closing for each in reversed(brackets))
        message = f'the file ends, and the "{bracket.kind}" of line {self._line(bracket)} is open'
        related = self._brackets.where_opened(bracket)
        self._report("ND007", self._behind(), message, f"add {closing}", None, related)
        if len(brackets) > 1:
            raise _Lost
        self.doubtful.append(())

    def _line(self, bracket: Bracket) -> int:
        return self.text.count("\n", 0, bracket.start) + 1

    # Members of objects

    def _member(self, node: Node) -> None:
        token = self._peek()
        if token.kind == "number" and self._is_decimal_comma(node, token):
            return
        name = self._name(token)
        if name is None:
            return
        span = (token.start, self._last)
        self._path.append(name)
        child = self._value() if self._colon(token) else self._unknown(self._last, self._last)
        self._path.pop()
        if name not in node.keys:
            node.add(name, span, child)
            return
        first = node.keys[name]
        line = self.text.count("\n", 0, first[0]) + 1
        message = f"the key {json.dumps(name, ensure_ascii=False)} occurs twice in one object"
        related = (Elsewhere(*first, "here it is first"),)
        self._report("ND011", span, message, f"first in line {line}", None, related)

    def _name(self, token: Token) -> str | None:
        """Takes the name of a member; ``None`` where there is none."""
        if token.kind in ("string", "open_string", "quoted"):
            self._take()
            node = self._leaves[token.kind](token) if token.kind == "quoted" else self._key(token)
            if node is not None and isinstance(node.value, str):
                return node.value
            if node is not None:
                self._colon(token)
                self._drop()
            return None
        if token.kind in _NAMES:
            self._take()
            quote = lacks_opening(self.text, token)
            if quote is not None:
                self._add(quote)
                self._move(token.end + 1)
            else:
                ends = ((token.start, token.start, '"'), (token.end, token.end, '"'))
                self._foreign.note("names", *_span(token), *ends)
            return self.text[token.start : token.end]
        if token.kind == ":" or token.kind in CLOSING:
            self._report_at(token, f"a name is missing before {self._shown(token)}")
            if token.kind == ":":
                self._take()
            self._drop()
            return None
        self._report_at(token, f"{self._shown(token)} does not belong here")
        self._take()
        return None

    def _key(self, token: Token) -> Node | None:
        return (
            self._string(token, is_key=True)
            if token.kind == "string"
            else self._open_string(token, is_key=True)
        )

    def _colon(self, key: Token) -> bool:
        """Takes what stands between a name and its value; false where there is no value."""
        token = self._peek()
        if token.kind == ":":
            self._take()
            return True
        if token.kind == "equals":
            fix = edit("write a colon", (*_span(token), ":"))
            self._report_at(
                token, f"{self._shown(token)} where a colon belongs", "write a colon", fix
            )
            self._take()
            return True
        if token.kind == "end" or self._was_told():
            return False
        if token.kind in (",", ";", "}", "]", ")") or self._is_key(token):
            message = f"{self._shown(key)} has no value"
            self._report("ND007", self._behind(), message, 'add ":" and a value')
            return False
        fix = edit("add a colon", (self._last, self._last, ":"))
        message = f'":" is missing before {self._shown(token)}'
        self._report("ND007", self._behind(), message, "add a colon here", fix)
        return True

    def _is_decimal_comma(self, node: Node, token: Token) -> bool:
        """Takes the digits behind a decimal comma."""
        before = re.search(r"(-?[0-9]{1,20}),\Z", self.text[max(0, token.start - 22) : token.start])
        if before is None or not node.children or self._is_key(token):
            return False
        self._take()
        start = token.start - len(before[0])
        written = before[1] + "." + self.text[token.start : token.end]
        message = f"{self.text[start : token.end]} is no number in JSON"
        fix = edit("write a decimal point", (token.start - 1, token.start, "."))
        self._report("ND013", (start, token.end), message, f"write {written}", fix)
        self.guessed.add(start)
        self.doubtful.append((*self._path, next(reversed(node.children))))
        return True

    # Values that hold no others

    def _string(self, token: Token, *, is_key: bool = False) -> Node | None:
        mended = mend_string(self.text, token, is_key=is_key)
        if mended is not None:
            return self._mended(token, mended)
        return self._text_of(token.start, token.end, self.text[token.start : token.end])

    def _open_string(self, token: Token, *, is_key: bool = False) -> Node | None:
        return self._mended(token, mend_open_string(self.text, token, is_key=is_key))

    def _mended(self, token: Token, mended: Mended) -> Node | None:
        self._add(mended.mistake)
        self._move(mended.at)
        if mended.is_plain:
            raw = f'"{self.text[mended.start : mended.end]}"'
            return self._text_of(token.start, mended.at, raw)
        if mended.start == mended.end:
            return None
        return self._unknown(token.start, mended.at)

    def _text_of(self, start: int, end: int, raw: str) -> Node:
        found = string_mistakes(raw, start)
        for each in found:
            self._add(each)
        return self._unknown(start, end) if found else Node(start, end, as_string(raw))

    def _number(self, token: Token) -> Node:
        self._stray_quote(token)
        raw = self.text[token.start : token.end]
        number = as_number(raw)
        if number is not None:
            return Node(token.start, token.end, number)
        self._add(too_large(raw, *_span(token)))
        return self._unknown(*_span(token))

    def _constant(self, token: Token) -> Node:
        self._stray_quote(token)
        raw = self.text[token.start : token.end]
        return Node(token.start, token.end, json.loads(raw))

    def _stray_quote(self, token: Token) -> None:
        quote = lacks_opening(self.text, token)
        if quote is not None:
            self._add(quote)
            self._move(token.end + 1)

    def _quoted(self, token: Token) -> Node:
        raw = self.text[token.start : token.end]
        kind = _QUOTES.get(raw[0], "typographic")
        written = requoted(raw)
        if written is None:
            self._foreign.note(kind, *_span(token))
            return self._unknown(*_span(token))
        self._foreign.note(kind, *_span(token), (*_span(token), written))
        return Node(token.start, token.end, as_string(written))

    def _word(self, token: Token) -> Node:
        start, end = token.start, token.end
        raw = self.text[start:end]
        if lacks_opening(self.text, token) is not None:
            self._stray_quote(token)
            return Node(start, end + 1, raw)
        if raw.lstrip("+-").lower() in _NOT_NUMBERS:
            self._report(
                "ND010", (start, end), f"JSON has no number {raw}", "write a finite number"
            )
            return self._unknown(start, end)
        if raw in CONSTANTS:
            is_certain = raw not in ("undefined", "nil")
            edits = [(start, end, CONSTANTS[raw])] if is_certain else []
            self._foreign.note("constants", start, end, *edits)
            return Node(start, end, json.loads(CONSTANTS[raw]))
        if re.match(r"[-+.]*(?:[0-9]|$)", raw):
            self._add(wrong_number(raw, start, end))
            plain = plain_number(raw)
            number = as_number(plain) if plain is not None else None
            return Node(start, end, number) if number is not None else self._unknown(start, end)
        self._foreign.note("names", start, end)
        return Node(start, end, raw)


def _span(token: Token) -> Span:
    return token.start, token.end
