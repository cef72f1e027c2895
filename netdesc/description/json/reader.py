"""Reads JSON text as a tree with the positions of all values, or finds its first error.

The standard library parses valid text. Other text is read token by token. What the grammar does not
allow is explained by the slips that people make: a comma too many or missing, a comment,
apostrophes, Python's words, an open bracket.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, NoReturn, TypeAlias

from netdesc.description.diagnostics.diagnostic import Diagnostic, Related
from netdesc.description.json.literals import (
    MAX_INTEGER,
    cut,
    fits_64_bits,
    plain_number,
    string_fault,
)
from netdesc.description.json.tree import MAX_DEPTH, Node, Span, read_valid
from netdesc.description.source import Source

CLOSER_OF = {"{": "}", "[": "]"}

_CONFLICT = re.compile(r"^[ \t]*(<{7}|\|{7}|={7}|>{7})(?:[ \r][^\n]*)?$", re.MULTILINE)
"""A marker of git's at the beginning of a line."""

_TOKEN = re.compile(
    r"""[ \t\r\n]*(?:
     (?P<string>"[^"\\\n]*+(?:\\[^\n][^"\\\n]*+)*+")
    |(?P<mark>[{}\[\],:])
    |(?P<number>-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+(?![\w.+-]))
    |(?P<constant>(?:true|false|null)(?![\w.+-]))
    |(?P<comment>//[^\n]*|/\*.*?(?:\*/|\Z)|\#[^\n]*|--[ \t][^\n]*)
    |(?P<quote>")
    |(?P<apostrophes>'[^'\n]*')
    |(?P<word>[\w.+$-]+)
    |(?P<end>\Z)
    |(?P<other>.))""",
    re.VERBOSE | re.DOTALL,
)
_CONSTANTS = {
    **dict.fromkeys(("True", "TRUE"), "true"),
    **dict.fromkeys(("False", "FALSE"), "false"),
    **dict.fromkeys(("None", "Null", "NULL", "nil", "undefined"), "null"),
}
"""The constants of other languages, and their JSON form."""

_MAX_INDENT = 200  # number of characters before a bracket in which its line is searched for
NOT_FINITE = re.compile(r"[-+]?(?:nan|inf|infinity)", re.IGNORECASE)
_NUMBER_LIKE = re.compile(r"[-+.]*[0-9]|[-+]+$")
_NUMBER_WITH_UNIT = re.compile(r"[-+]?[0-9.]{1,20}[a-zA-Z]{1,10}")


class _Token(NamedTuple):
    """The token ``raw = text[start:end]``. ``kind`` is its group in ``_TOKEN``, or the mark."""

    kind: str
    start: int
    end: int
    raw: str

    @property
    def shown(self) -> str:
        return cut(self.raw) if self.raw[:1] in ('"', "'") else f'"{cut(self.raw)}"'

    @property
    def span(self) -> Span:
        return self.start, self.end


_Read: TypeAlias = "Callable[[_Token], _Read] | None"
"""Reads a token, and returns what reads the next one; ``None`` after the end of the text."""


@dataclass(slots=True)
class _Bracket:
    mark: str
    start: int
    names: dict[str, Span] = field(default_factory=dict[str, Span])


class _FoundError(Exception):
    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


def parse(source: Source) -> Node | Diagnostic:
    """Returns the tree of JSON text of 64-bit numbers, or why it is none."""
    if (root := read_valid(source.text)) is not None:
        return root
    try:
        _Scanner(source).scan()
    except _FoundError as error:
        return error.diagnostic
    raise AssertionError("the text is valid, or has an error")


class _Scanner:
    """Reads a text token by token. ``scan`` raises _FoundError at the first error."""

    def __init__(self, source: Source) -> None:
        self._source, self._text = source, source.text
        self._opened: list[_Bracket] = []
        """The objects and lists that are being read, the innermost last."""
        self._closed: list[tuple[_Bracket, int]] = []
        """The objects and lists that were read, with the offsets of their closing brackets."""
        self._before = _Token("start", 0, 0, "")

    def scan(self) -> None:
        if self._text.startswith("\ufeff"):
            message = "the file starts with a byte order mark"
            self._fail("ND004", (0, 1), message, "save without BOM", write="")
        if conflict := _CONFLICT.search(self._text):
            message = "a merge conflict that is not resolved"
            self._fail("ND007", conflict.span(1), message, "keep one side, without the markers")
        expect: _Read = self._first
        at = 0
        while expect is not None:
            match = _TOKEN.match(self._text, at)
            assert match is not None
            kind = match.lastgroup or ""
            raw = match[kind]
            token = _Token(raw if kind == "mark" else kind, *match.span(kind), raw)
            if kind == "comment":
                hint = 'JSON has no comments; put remarks into "description"'
                self._fail("ND009", token.span, "a comment", hint)
            expect = expect(token)
            self._before, at = token, token.end

    # What is read next. Each method returns the one that reads the next token.

    def _first(self, token: _Token) -> _Read:
        if token.kind in CLOSER_OF:
            return self._value(token)
        if token.kind == "end":
            self._fail("ND002", (0, min(1, len(self._text))), "the file contains no JSON")
        if token.kind in ("}", "]"):
            self._fail("ND007", token.span, f"{token.shown} closes nothing", "remove it")
        line = self._text[token.start :].partition("\n")[0].rstrip()
        head = line.partition("{")[0].rstrip() or line
        message = f'a document begins with "{{", not with {cut(head)}'
        return self._fail("ND007", (token.start, token.start + len(head)), message)

    def _value(self, token: _Token) -> _Read:
        if token.kind == "]" and self._before.kind == "[":
            return self._close(token)
        if token.kind in CLOSER_OF:
            self._opened.append(_Bracket(token.kind, token.start))
            if len(self._opened) > MAX_DEPTH:
                message = f"objects and lists are nested more than {MAX_DEPTH} deep"
                self._fail("ND006", token.span, message)
            return self._name if token.kind == "{" else self._value
        if token.kind == "number":
            if not fits_64_bits(token.raw):
                hint = f"the largest integer is {MAX_INTEGER}, the largest other number about "
                message = "the number does not fit into 64 bits"
                self._fail("ND014", token.span, message, hint + "1.8e308")
        elif token.kind == "string":
            self._check_string(token)
        elif token.kind != "constant":
            self._fail_value(token)
        return self._comma

    def _name(self, token: _Token) -> _Read:
        if token.kind == "}" and self._before.kind == "{":
            return self._close(token)
        if token.kind != "string":
            self._fail_name(token)
        self._check_string(token)
        name, names = json.loads(token.raw), self._opened[-1].names
        if name in names:
            first = names[name]
            message = f"the key {json.dumps(name, ensure_ascii=False)} occurs twice in one object"
            related = first, "the first one is here"
            hint = f"first in line {self._line(first[0])}"
            self._fail("ND011", token.span, message, hint, related=related)
        names[name] = token.span
        return self._colon

    def _colon(self, token: _Token) -> _Read:
        if token.kind == ":":
            return self._value
        self._fail_if_closed(token)
        name = self._before.shown
        if token.kind in ("}", "]", ","):
            last = self._before.end - 1, self._before.end
            self._fail("ND007", last, f"{name} has no value", 'add ":" and a value')
        self._fail_after_string(token)
        if token.kind == "other":
            message = f"{token.shown} where a colon belongs"
            self._fail("ND007", token.span, message, "write a colon", write=":")
        return self._fail_missing('":"', token, "add a colon here")

    def _comma(self, token: _Token) -> _Read:
        opened = self._opened[-1:]
        if not opened:
            return self._end(token)
        closer = CLOSER_OF[opened[0].mark]
        if token.kind == closer:
            return self._close(token)
        if token.kind == ",":
            return self._name if closer == "}" else self._value
        self._fail_if_closed(token)
        self._fail_after_string(token)
        if token.kind == ":" and closer == "}":
            self._fail("ND007", token.span, "a colon where a comma or the end belongs")
        if token.kind == ":":
            start = opened[0].start
            place = (start, start + 1), "this list is not closed"
            message = f"a name in the list that line {self._line(start)} opens"
            hint = 'close the list with "]"'
            self._fail("ND007", self._before.span, message, hint, related=place)
        if token.kind == "other":
            hint = f'"," or "{closer}" follows a value'
            self._fail("ND007", token.span, f"{token.shown} does not belong here", hint)
        return self._fail_missing(f'"," or "{closer}"', token, "add a comma here")

    def _close(self, token: _Token) -> _Read:
        self._closed.append((self._opened.pop(), token.start))
        return self._comma if self._opened else self._end

    def _end(self, token: _Token) -> None:
        if token.kind == "end":
            return
        if token.kind in CLOSER_OF:
            message, hint = "a second document begins here", "a file holds one document"
        elif token.kind in ("}", "]"):
            message, hint = f"{token.shown} closes nothing", "remove it"
        else:
            message, hint = f"{token.shown} after the end of the document", ""
        self._fail("ND007", token.span, message, hint)

    # Errors

    def _fail(
        self,
        code: str,
        span: Span,
        message: str,
        hint: str = "",
        *,
        write: str | None = None,
        related: tuple[Span, str] | None = None,
    ) -> NoReturn:
        """Raises the error at a span. ``write`` is the text that replaces it in a fix."""
        source, places = self._source, tuple[Related, ...]()
        if related is not None:
            (start, end), label = related
            places = (source.locate(Related(label, source.name), start, end),)
        fix = source.fix(hint, *span, write) if write is not None else None
        error = Diagnostic(code, "error", source.name, message, hint=hint, related=places, fix=fix)
        raise _FoundError(source.locate(error, *span))

    def _fail_value(self, token: _Token) -> NoReturn:
        raw, span = token.raw, token.span
        self._fail_if_closed(token)
        self._fail_foreign(token)
        if raw in _CONSTANTS:
            hint = "write true, false and null"
            self._fail("ND007", span, f"JSON has no {raw}", hint, write=_CONSTANTS[raw])
        if NOT_FINITE.fullmatch(raw):
            self._fail("ND010", span, f"JSON has no number {raw}", "write a finite number")
        if token.kind == "word" and _NUMBER_LIKE.match(raw):
            self._fail_number(raw, span)
        if token.kind == "word" and raw.strip("."):
            hint = f"write {json.dumps(raw, ensure_ascii=False)}"
            self._fail("ND007", span, f"{cut(raw)} without quotes", hint)
        if token.kind == "," and self._before.kind in (",", "["):
            self._fail("ND007", span, "a comma too many", "remove the comma")
        self._fail("ND007", span, f"a value is missing before {token.shown}")

    def _fail_name(self, token: _Token) -> NoReturn:
        raw, span, before = token.raw, token.span, self._before
        self._fail_if_closed(token)
        self._fail_foreign(token)
        if token.kind == ",":
            self._fail("ND007", span, "a comma too many", "remove the comma", write="")
        if token.kind == ":":
            self._fail("ND007", span, f"a name is missing before {token.shown}")
        message, hint = f"a name in double quotes belongs here, not {token.shown}", ""
        if token.kind == "word":
            hint = f"write {json.dumps(raw, ensure_ascii=False)}:"
        elif token.kind == "number" and before.kind == ",":
            hint = "a decimal number has a point, and a list stands in brackets: […]"
        elif token.kind in ("number", "constant", "{", "[") and before.kind == "{":
            hint = "a list stands in brackets: […]"
        self._fail("ND007", span, message, hint)

    def _fail_foreign(self, token: _Token) -> None:
        """Fails at what is the same wrong everywhere: foreign quotes, open strings, brackets."""
        raw, span = token.raw, token.span
        line = self._text[token.start :].partition("\n")[0].rstrip()
        if token.kind == "quote":
            here = token.start, token.start + len(line)
            self._fail("ND012", here, "a string that is not closed", 'put a " after it')
        if token.kind == "apostrophes":
            text = None if {*raw[1:-1]} & {*'"\\'} else f'"{raw[1:-1]}"'
            hint = "write double quotes, as json.dump does"
            self._fail("ND012", span, "a string in apostrophes", hint, write=text)
        if raw in ("“", "”", "„", "‟", "‘", "’", "‚", "‛", "'", "`"):
            self._fail("ND012", span, f"{raw} opens no string", "write straight double quotes")
        if raw in ("(", ")"):
            hint = "write lists in brackets: […]"
            text = "[" if raw == "(" else "]"
            self._fail("ND007", span, "a list in parentheses", hint, write=text)
        if token.kind == "other" and (raw.isspace() or not raw.isprintable()):
            message = f"U+{ord(raw):04X} outside of a string"
            self._fail("ND007", span, message, "write a plain space, or nothing", write=" ")

    def _fail_if_closed(self, token: _Token) -> None:
        """Fails at the end of the text, at a wrong closing bracket, and at one after a comma."""
        opened = self._unclosed() if token.kind == "end" else self._opened[-1]
        name = f'the "{opened.mark}" of line {self._line(opened.start)}'
        place = (opened.start, opened.start + 1), "this bracket is not closed"
        if token.kind == "end":
            end = len(self._text.rstrip())
            message = f"the file ends, and {name} is not closed"
            hint = "add " + "".join(CLOSER_OF[bracket.mark] for bracket in reversed(self._opened))
            self._fail("ND007", (end - 1, end), message, hint, related=place)
        if token.kind in ("}", "]") and token.kind != CLOSER_OF[opened.mark]:
            message = f"{token.shown} cannot close {name}"
            hint = f'write "{CLOSER_OF[opened.mark]}"'
            self._fail("ND007", token.span, message, hint, related=place)
        if token.kind in ("}", "]") and self._before.kind == ",":
            message = f"a comma before {token.shown}"
            self._fail("ND008", self._before.span, message, "remove the comma", write="")

    def _unclosed(self) -> _Bracket:
        """Returns the bracket that is not closed: the first whose closing one is indented less."""
        for opened, end in self._closed:
            before, after = self._line_before(opened.start), self._line_before(end)
            if not after.strip() and len(after) < len(before) - len(before.lstrip()):
                return opened
        return self._opened[-1]

    def _line_before(self, offset: int) -> str:
        start = max(0, offset - _MAX_INDENT)
        _, line_feed, line = self._text[start:offset].rpartition("\n")
        return line if line_feed or start == 0 else ""

    def _fail_after_string(self, token: _Token) -> None:
        """Fails where text follows a string without a space: a quote is missing or too many."""
        self._fail_foreign(token)
        if self._before.kind != "string" or token.start > self._before.end:
            return
        if token.kind in ("string", "number", "constant", "word", "other"):
            message = f"the string ends here, and {token.shown} follows"
            hint = 'a quote is missing or too many; inside a string write \\" for a quote'
            self._fail("ND012", (self._before.end - 1, self._before.end), message, hint)

    def _fail_missing(self, marks: str, token: _Token, hint: str) -> NoReturn:
        message = f"{marks} is missing before {token.shown}"
        self._fail("ND007", (self._before.end - 1, self._before.end), message, hint)

    def _check_string(self, token: _Token) -> None:
        if (fault := string_fault(token.raw)) is not None:
            (start, end), message, hint, text = fault
            self._fail("ND012", (token.start + start, token.start + end), message, hint, write=text)

    def _fail_number(self, raw: str, span: Span) -> NoReturn:
        plain, message = plain_number(raw), f"{cut(raw)} is not a number in JSON"
        if plain is not None:
            # 010 is 8 in some languages and 10 in others.
            text = plain if re.match(r"[-+]?0[0-9]", raw) is None else None
            self._fail("ND013", span, message, f"write {cut(plain)}", write=text)
        hint = "write digits, with a point and an exponent if need be: 12, 0.5, 1e-3"
        if _NUMBER_WITH_UNIT.fullmatch(raw):
            hint = "write the number alone: the names of fields state the units"
        self._fail("ND013", span, message, hint)

    def _line(self, offset: int) -> int:
        return self._text.count("\n", 0, offset) + 1
