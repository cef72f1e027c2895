"""One reading of a damaged text: where it is, what it found wrong and what it could not know."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from netdesc.description.diagnostic import Fix
from netdesc.description.foreign import Foreign, is_blank
from netdesc.description.nodes import Node, Parts, Span
from netdesc.description.plain import members
from netdesc.description.tokens import MAX_MISTAKES, Elsewhere, Mistake, Token, cut, token_at

NAMES = ("string", "quoted", "word", "number", "constant")
"""Kinds of tokens that stand for the name of a member, rightly or not."""

_MOST_STEPS = 400_000
"""So many steps are taken by hand, two for a token: more would take seconds."""


class Lost(Exception):
    """Nothing certain can be said of the rest of the text."""


class Reading:
    """The place in the text, and all that is found on the way."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.foreign = Foreign(text)
        self.guessed: set[int] = set()
        """Where values start of which nobody knows what they say."""
        self.doubtful: list[Parts] = []
        """The paths of these, and of objects and lists in which something may be lost."""
        self.path: list[str | int] = []
        self.last = 0
        """Where the token ends that was taken last."""
        self._mistakes: list[Mistake] = []
        self._next: Token | None = None
        self._at: int = 0
        self._steps = 0
        self._faults = 0
        self._is_muted = False

    @property
    def mistakes(self) -> list[Mistake]:
        """What is wrong in the text, in no order."""
        return self._mistakes + self.foreign.mistakes()

    def peek(self) -> Token:
        """The next token, behind comments and what looks like nothing."""
        while self._next is None:
            token = token_at(self.text, self._at)
            self.count(2)
            if token.kind == "comment":
                self.foreign.note("comments", token.start, token.end)
            elif token.kind == "open_comment":
                hint = "JSON has no comments"
                self.report("ND009", span(token), "a comment that is never closed", hint)
                raise Lost
            elif token.kind == "other" and is_blank(self.text[token.start]):
                self.foreign.note("spaces", *span(token), (*span(token), " "))
            else:
                self._next = token
            self._at = token.end
        return self._next

    def count(self, steps: int) -> None:
        """Some work was done; reading ends where it gets too much."""
        self._steps += steps
        if self._steps > _MOST_STEPS:
            message = "the text is not sound JSON, and was read up to here only"
            self.report("ND007", (self._at, self._at), message)
            raise Lost

    def take(self) -> Token:
        token = self.peek()
        self._next, self.last = None, token.end
        return token

    def move(self, at: int) -> None:
        """Read on at an offset."""
        self._next, self._at, self.last = None, at, at

    def is_key(self, token: Token) -> bool:
        """True for what names a member of an object."""
        if token.kind not in NAMES:
            return False
        return token_at(self.text, token.end).kind in (":", "equals")

    def report(
        self,
        code: str,
        span: Span,
        message: str,
        hint: str = "",
        fix: Fix | None = None,
        related: tuple[Elsewhere, ...] = (),
    ) -> None:
        self.add(Mistake(code, *span, message, hint, fix, related))

    def report_at(self, token: Token, message: str, hint: str = "", fix: Fix | None = None) -> None:
        self.report("ND007", span(token), message, hint, fix)

    def add(self, mistake: Mistake) -> None:
        self._faults += 1
        if not self._is_muted:
            self._mistakes.append(mistake)
        if self._faults >= MAX_MISTAKES:
            message = f"more than {MAX_MISTAKES} mistakes; the rest of the file was not read"
            self._mistakes.append(Mistake("ND007", mistake.end, mistake.end, message))
            raise Lost

    def shown(self, token: Token) -> str:
        raw = cut(self.text[token.start : token.end])
        return raw if raw[:1] in ('"', "'") else f'"{raw}"'

    def behind(self) -> Span:
        """The last character before which all was read."""
        return max(0, self.last - 1), self.last

    def was_told(self) -> bool:
        """True where the last mistake is about the place behind the last token."""
        return bool(self._mistakes) and self._mistakes[-1].end == self.last

    def unknown(self, start: int, end: int) -> Node:
        """A value of which nobody knows what it says."""
        self.doubt(start, tuple(self.path))
        return Node(start, end, None)

    def doubt(self, start: int, path: Parts) -> None:
        """Nobody knows what the value says that begins here."""
        self.guessed.add(start)
        self.doubtful.append(path)

    def doubt_last(self, node: Node) -> None:
        """What was read last is not what was meant: a bracket is missing before it."""
        if node.value:
            key = next(reversed(members(node.value)))
            self.doubt(node.children[key].start, (*self.path, key))

    def line(self, at: int) -> int:
        """The number of the line in which a character stands."""
        return self.text.count("\n", 0, at) + 1

    @contextmanager
    def forgetting(self) -> Generator[None]:
        """What is found meanwhile does not count."""
        known, guessed, foreign = len(self.doubtful), set(self.guessed), self.foreign.copy()
        is_muted, self._is_muted = self._is_muted, True
        yield
        self._is_muted, self.foreign, self.guessed = is_muted, foreign, guessed
        del self.doubtful[known:]


def span(token: Token) -> Span:
    return token.start, token.end
