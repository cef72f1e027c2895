"""Names the first place at which tokens do not follow each other as JSON wants it."""

from __future__ import annotations

from netdesc.description.tokens import Mistake, Token

_VALUES = {"string", "number", "constant", "apostrophes", "word", "open_string"}
_CLOSING = {"{": "}", "[": "]"}


def first_break(tokens: list[Token], text: str, *, is_whole: bool = True) -> Mistake | None:
    """The first token that cannot stand where it stands, or ``None`` for well-formed JSON.

    Without ``is_whole`` the tokens are the beginning of a text, and nothing is said of its end.
    """
    open_brackets: list[Token] = []
    expected = "value"  # value | key | colon | separator | end
    previous: Token | None = None
    for token in tokens:
        kind = "value" if token.kind in _VALUES else token.kind
        inside = open_brackets[-1].kind if open_brackets else ""
        just_opened = previous is not None and previous is (open_brackets or [None])[-1]
        if kind in ("}", "]") and (expected == "separator" or just_opened):
            if _CLOSING.get(inside) != kind:
                return _wrong_bracket(token, open_brackets, text)
            open_brackets.pop()
            expected = "separator" if open_brackets else "end"
        elif expected == "key" and token.kind in ("string", "apostrophes"):
            expected = "colon"
        elif expected == "colon" and kind == ":":
            expected = "value"
        elif expected == "separator" and kind == ",":
            expected = "key" if inside == "{" else "value"
        elif expected == "value" and kind == "value":
            expected = "separator" if open_brackets else "end"
        elif expected == "value" and kind in _CLOSING:
            open_brackets.append(token)
            expected = "key" if kind == "{" else "value"
        else:
            return _unexpected(expected, token, previous, inside, text)
        previous = token
    if not is_whole:
        return None
    if open_brackets:
        opened = open_brackets[-1]
        closing = _CLOSING[opened.kind]
        message = f'"{opened.kind}" is never closed'
        return Mistake("ND007", opened.start, opened.end, message, f'add its "{closing}"')
    if expected == "value":
        return Mistake("ND002", 0, min(1, len(text)), "the file holds no JSON")
    return None


def _wrong_bracket(token: Token, open_brackets: list[Token], text: str) -> Mistake:
    if not open_brackets:
        return Mistake("ND007", token.start, token.end, f'"{token.kind}" closes nothing')
    opened = open_brackets[-1]
    line = text.count("\n", 0, opened.start) + 1
    message = f'"{token.kind}" cannot close the "{opened.kind}" of line {line}'
    return Mistake("ND007", token.start, token.end, message, f'write "{_CLOSING[opened.kind]}"')


def _unexpected(
    expected: str, token: Token, previous: Token | None, inside: str, text: str
) -> Mistake:
    shown = text[token.start : token.end]
    shown = shown if len(shown) <= 40 else shown[:39] + "…"
    if token.kind not in ("string", "open_string", "apostrophes"):
        shown = f'"{shown}"'
    here = (token.start, token.end)
    after = (previous.end - 1, previous.end) if previous else here
    if expected == "separator" and token.kind == ":":
        return Mistake("ND007", *here, "a colon where a comma or the end belongs")
    if expected == "separator":
        closing = _CLOSING.get(inside, "")
        message = f'"," or "{closing}" is missing before {shown}'
        return Mistake("ND007", *after, message, "add a comma here")
    if expected == "colon":
        return Mistake("ND007", *after, f'":" is missing before {shown}', "add a colon here")
    if expected == "key" and token.kind == ",":
        return Mistake("ND007", *here, "a comma too many", "take the comma away")
    if expected == "key":
        return Mistake("ND007", *here, f"a name in double quotes belongs here, not {shown}")
    if expected == "end":
        return Mistake("ND007", *here, f"{shown} after the end of the document")
    return Mistake("ND007", *here, f"a value is missing before {shown}")
