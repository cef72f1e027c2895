"""Splits damaged JSON text into tokens, and knows the grammar: which token may follow which."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from netdesc.description.json.scalars import CONSTANTS, NOT_FINITE

_TOKEN = re.compile(
    r"""([ \t\r\n]*)(?:
    (?P<string>"[^"\\\n]*+(?:\\[^\n][^"\\\n]*+)*+"(?=[\s,:;=\[\]{}()#]|//|/\*|\Z))
        (?P<key>(?=[ \t\r\n]*[:=]))?
    |(?P<equals>=>|==?|:=)
    |(?P<mark>[{}\[\](),:;])
    |(?P<number>-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+(?![\w.+"-]))
    |(?P<constant>(?:true|false|null)(?![\w.+"-]))
    |(?P<comment>//[^\n]*|/\*.*?\*/|\#[^\n]*|--[ \t][^\n]*)
    |(?P<open_comment>/\*.*)
    |(?P<quote>")
    |(?P<quoted>'[^'\\\n]*+(?:\\[^\n][^'\\\n]*+)*+'
        |[“”„‟][^“”„‟"\\\n]*[“”„‟"]|[‘’‚‛][^‘’‚‛"'\\\n]*[‘’‚‛'])
    |(?P<word>[\w.+$-]+)
    |(?P<other>.)
    |(?P<end>\Z))""",
    re.VERBOSE | re.DOTALL,
)
_NAME_END = re.compile(r"[ \t\r\n]*(?::|=)")
_WORD_END = re.compile(r"[ \t]*(?:[,:;=}\])]|\r?$|//|/\*|#|--)", re.MULTILINE)
_NUMBER_LIKE = re.compile(r"[-+.]*(?:[0-9]|$)")

_KINDS = {"string": "s", "key": "k", "equals": "=", "number": "v", "constant": "v", "end": "."}
_FOLLOWS = {
    "": "sv{[",
    "{": "k}",
    "[": "sv{[]",
    ":": "sv{[",
    "k": ":",
    ",{": "k",
    ",[": "sv{[",
    **dict.fromkeys("sv}]", ",}]"),
}
"""Maps a kind of token to the kinds that may follow. ``,{`` is a comma in an object."""
OPENING = {"}": "{", "]": "["}
"""Maps each closing bracket to its opening bracket."""
CLOSING = {"{": "}", "[": "]"}
"""Maps each opening bracket to its closing bracket."""


class Token(NamedTuple):
    """The token ``text[start:end]``. ``group`` names the group of ``_TOKEN`` that matched.

    ``kind`` is one character. ``k``: key; ``s``: other string; ``v``: other scalar; ``=``: any of
    ``= == => :=``; ``.``: end of the text; space: comment or unusual space; ``?``: unknown token.
    Other punctuation is its own kind, but a parenthesis has the kind of a square bracket, because
    parentheses enclose Python's tuples.
    """

    kind: str
    start: int
    end: int
    group: str


def read_token(text: str, at: int) -> Token:
    """Skips white space at an offset, and returns the next token."""
    match = _TOKEN.match(text, at)
    assert match is not None
    group = match.lastgroup or ""
    start, end = match.end(1), match.end()
    kind = _KINDS.get(group)
    if kind is None:
        kind = text[start] if group == "mark" else _foreign_kind(text, start, end, group)
        kind = {"(": "[", ")": "]"}.get(kind, kind)
    elif kind == "v" and text[end : end + 1] == ":":
        kind = "k"
    return Token(kind, start, end, group)


def _foreign_kind(text: str, start: int, end: int, group: str) -> str:
    """Returns the kind of a token that JSON does not have."""
    raw = text[start:end]
    if group == "comment" or (group == "other" and (raw.isspace() or not raw.isprintable())):
        return " "
    is_word = group == "word" and raw.strip(".") and _WORD_END.match(text, end)
    if not is_word and group != "quoted":
        return "?"
    if _NAME_END.match(text, end):
        return "k"
    is_scalar = raw in CONSTANTS or NOT_FINITE.fullmatch(raw) or _NUMBER_LIKE.match(raw)
    return "v" if is_word and is_scalar else "s"


def read_tokens(text: str, at: int = 0) -> Iterator[Token]:
    """Yields the tokens from an offset to the end, without comments."""
    while True:
        token = read_token(text, at)
        if token.kind != " ":
            yield token
        if token.kind == ".":
            return
        at = token.end


@dataclass(slots=True)
class GrammarState:
    """State of the JSON grammar: the kind of the last token, and the open brackets."""

    last: str = ""
    open: list[str] = field(default_factory=list[str])

    def copy(self) -> GrammarState:
        return GrammarState(self.last, self.open.copy())

    def expects(self, kind: str) -> bool:
        """Returns True if the next token may be of this kind."""
        if not self.open and self.last:
            return kind == "."
        if kind in OPENING and [OPENING[kind]] != self.open[-1:]:
            return False
        last = self.last + self.open[-1] if self.last == "," else self.last
        return kind in _FOLLOWS[last]

    def take(self, kind: str) -> None:
        """Updates the state for a token of this kind, which ``expects`` must allow."""
        if kind in CLOSING:
            self.open.append(kind)
        elif kind in OPENING:
            self.open.pop()
        self.last = kind

    def undo(self, kind: str, last: str) -> None:
        """Undoes ``take(kind)`` of the last token. ``last`` is the kind of the token before it."""
        if kind in CLOSING:
            self.open.pop()
        elif kind in OPENING:
            self.open.append(OPENING[kind])
        self.last = last

    def take_all(self, kinds: Sequence[str]) -> bool:
        """Calls ``take`` for each kind. Returns False at the first one that is not expected."""
        for kind in kinds:
            if not self.expects(kind):
                return False
            self.take(kind)
        return True
