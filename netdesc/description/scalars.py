"""Strings, numbers and words of a damaged text, and what they plainly mean."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from netdesc.description.bare import mend_bare
from netdesc.description.brackets import Brackets
from netdesc.description.foreign import CONSTANTS, requoted
from netdesc.description.nodes import Node
from netdesc.description.quotes import (
    Mended,
    lacks_opening,
    mend_open_string,
    mend_separator,
    mend_string,
)
from netdesc.description.reading import NAMES, Reading, span
from netdesc.description.tokens import (
    Token,
    as_number,
    as_string,
    plain_number,
    string_mistakes,
    token_at,
    too_large,
    wrong_number,
)

_NOT_NUMBERS = {"nan", "infinity", "inf"}
_QUOTES = {"'": "apostrophes", "`": "backquotes"}


class Scalars:
    """Takes the values that hold no others, and the names of members."""

    def __init__(self, reading: Reading, brackets: Brackets) -> None:
        self._reading = reading
        self._brackets = brackets
        self._text = reading.text
        self._readers: dict[str, Callable[[Token], Node | None]] = {
            "string": self._string,
            "open_string": self._open_string,
            "number": self._number,
            "constant": self._constant,
            "quoted": self._quoted,
            "word": self._word,
        }

    def starts(self, token: Token) -> bool:
        """True where a token is such a value, or is meant to be one."""
        return token.kind in self._readers or self._bare(token) is not None

    def _bare(self, token: Token, *, is_key: bool = False) -> Mended | None:
        """What a word or a sign means that stands for a string, or for a part of one."""
        is_bare = token.kind in ("word", "other")
        return mend_bare(self._text, token, is_key=is_key) if is_bare else None

    def value(self) -> Node | None:
        """Takes a value; ``None`` where only a stray quote stood before it."""
        token = self._reading.take()
        mended = self._bare(token)
        if mended is not None:
            return self._mended(token, mended)
        return self._readers[token.kind](token)

    def name(self) -> Node | None:
        """Takes the name of a member; ``None`` where only a stray quote stood before it."""
        reading, token = self._reading, self._reading.take()
        if token.kind == "string":
            return self._string(token, is_key=True)
        if token.kind == "open_string":
            return self._open_string(token, is_key=True)
        if token.kind == "quoted":
            return self._quoted(token)
        mended = self._bare(token, is_key=True)
        if mended is not None:
            return self._mended(token, mended)
        start, end = token.start, token.end
        if lacks_opening(self._text, token) is not None:
            self._stray_quote(token)
        else:
            reading.foreign.note("names", start, end, (start, start, '"'), (end, end, '"'))
        return Node(start, reading.last, self._text[start:end])

    def is_name(self, token: Token) -> bool:
        """True where a token names a member, or is meant to."""
        if token.kind in ("string", "open_string", "quoted"):
            return True
        if token.kind == "other":
            return self._bare(token, is_key=True) is not None
        return token.kind in NAMES and self._text[token.start : token.end].strip(".") != ""

    def _string(self, token: Token, *, is_key: bool = False) -> Node | None:
        mended = mend_string(self._text, token, is_key=is_key)
        mended = mended or mend_separator(self._text, token, is_key=is_key)
        if mended is not None:
            return self._mended(token, mended)
        return self._text_of(token.start, token.end, self._text[token.start : token.end])

    def _open_string(self, token: Token, *, is_key: bool = False) -> Node | None:
        mended = mend_open_string(self._text, token, is_key=is_key)
        is_last = token_at(self._text, mended.at).kind == "end" and mended.start < mended.end
        return self._mended(token, mended, is_told=is_last and bool(self._brackets.open))

    def _mended(self, token: Token, mended: Mended, *, is_told: bool = False) -> Node | None:
        """What a string says whose quotes are wrong.

        ``is_told`` holds for the last string of a file that is cut off: that is its mistake.
        """
        if not is_told:
            self._reading.add(mended.mistake)
        self._reading.move(mended.at)
        if mended.is_plain and "\\" not in self._text[mended.start : mended.end]:
            raw = f'"{mended.said or self._text[mended.start : mended.end]}"'
            return self._text_of(token.start, mended.at, raw)
        if mended.start == mended.end:
            return None
        return self._reading.unknown(token.start, mended.at)

    def _text_of(self, start: int, end: int, raw: str) -> Node:
        found = string_mistakes(raw, start)
        for each in found:
            self._reading.add(each)
        return self._reading.unknown(start, end) if found else Node(start, end, as_string(raw))

    def _number(self, token: Token) -> Node:
        self._stray_quote(token)
        raw = self._text[token.start : token.end]
        number = as_number(raw)
        if number is not None:
            return Node(token.start, token.end, number)
        self._reading.add(too_large(raw, *span(token)))
        return self._reading.unknown(*span(token))

    def _constant(self, token: Token) -> Node:
        self._stray_quote(token)
        raw = self._text[token.start : token.end]
        return Node(token.start, token.end, json.loads(raw))

    def _stray_quote(self, token: Token) -> None:
        quote = lacks_opening(self._text, token)
        if quote is not None:
            self._reading.add(quote)
            self._reading.move(token.end + 1)

    def _quoted(self, token: Token) -> Node:
        raw = self._text[token.start : token.end]
        if raw[0] == "'":
            token, raw = self._joined(token, raw)
        kind = _QUOTES.get(raw[0], "typographic")
        written = requoted(raw)
        if written is None:
            self._reading.foreign.note(kind, *span(token))
            return self._reading.unknown(*span(token))
        self._reading.foreign.note(kind, *span(token), (*span(token), written))
        return Node(token.start, token.end, as_string(written))

    def _joined(self, token: Token, raw: str) -> tuple[Token, str]:
        """Strings of Python that follow each other on several lines are one."""
        behind = self._reading.peek()
        while behind.kind == "quoted" and "\n" in self._text[token.end : behind.start]:
            raw = raw[:-1] + self._text[behind.start + 1 : behind.end]
            token = Token("quoted", token.start, behind.end)
            self._reading.take()
            behind = self._reading.peek()
        return token, raw

    def _word(self, token: Token) -> Node:
        start, end = token.start, token.end
        raw = self._text[start:end]
        if lacks_opening(self._text, token) is not None:
            self._stray_quote(token)
            return Node(start, end + 1, raw)
        if raw.lstrip("+-").lower() in _NOT_NUMBERS:
            self._reading.report(
                "ND010", (start, end), f"JSON has no number {raw}", "write a finite number"
            )
            return self._reading.unknown(start, end)
        if raw in CONSTANTS:
            is_certain = raw not in ("undefined", "nil")
            edits = [(start, end, CONSTANTS[raw])] if is_certain else []
            self._reading.foreign.note("constants", start, end, *edits)
            return Node(start, end, json.loads(CONSTANTS[raw]))
        if not raw.strip("."):
            self._reading.report("ND007", (start, end), f"{raw} stands for nothing in JSON")
            return self._reading.unknown(start, end)
        if re.match(r"[-+.]*(?:[0-9]|$)", raw):
            self._reading.add(wrong_number(raw, start, end))
            plain = plain_number(raw)
            number = as_number(plain) if plain is not None else None
            if isinstance(number, float) and raw.endswith("."):
                number = int(number)  # 100. may be meant to be an integer
            return (
                Node(start, end, number)
                if number is not None
                else self._reading.unknown(start, end)
            )
        self._reading.foreign.note("names", start, end)
        return Node(start, end, raw)
