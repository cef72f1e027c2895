"""Text whose first quote is missing, stands too late or is of another kind; or without quotes."""

from __future__ import annotations

import re

from netdesc.description.quotes import Mended
from netdesc.description.tokens import Mistake, Token, cut, edit

_LONGEST = 400
"""Characters of a text that are looked at."""

_END = r"(?=[ \t]*(?:[,:}\]]|\r?$))"
_LATE = re.compile(rf'([\w$.+/~-]{{1,3}})"([^\s,:{{}}\[\]"][^"\n]{{0,400}})"{_END}', re.MULTILINE)
_APOSTROPHE = re.compile(rf"['‘’‚‛“”„‟`]([^'\"\n]{{1,400}})\"{_END}", re.MULTILINE)
_NO_FIRST = re.compile(
    r'([^"\n,:{}\[\]]{1,400})"(?=[ \t]*(?:[,}\]]|\r?$))'
    r'|([^"\n]{1,400})"(?=[ \t]*[,}\]]*[ \t]*\r?$)',
    re.MULTILINE,
)
_PATH = re.compile(r"(?=[^\s/]{0,400}/)[^\"\s,{}\[\]()']{1,400}" + _END, re.MULTILINE)
_SENTENCE = re.compile(
    r"(?=[^\W\d]+[ \t]+[^\W\d])[^\"'\n{}\[\]]{1,400}?(?=,?[ \t]*\r?$)", re.MULTILINE
)
_PREFIXES = ("r", "b", "f", "u", "rb", "br", "fr", "rf")
"""What Python writes before a string."""


def mend_bare(text: str, token: Token, *, is_key: bool) -> Mended | None:
    """What to make of a word or a sign in the place of a string; ``None`` for a plain word."""
    start = token.start
    if token.end - start > _LONGEST:
        return None
    if late := _LATE.match(text, start):
        return _late(late, is_key)
    if apostrophe := _APOSTROPHE.match(text, start):
        fix = edit("write a straight quote", (start, start + 1, '"'))
        message = f"{text[start]} opens no string"
        mistake = Mistake("ND012", start, start + 1, message, 'write "', fix)
        return Mended(mistake, start + 1, apostrophe.end(1), apostrophe.end(), is_plain=True)
    if is_key:
        return None
    if _is_plain(text, token):
        return None
    if no_first := _NO_FIRST.match(text, start):
        end = no_first.end() - 1
        inside = cut(text[start:end])
        message, hint = f"{inside} lacks its first quote", f'write "{inside}"'
        return Mended(
            Mistake("ND012", start, end + 1, message, hint), start, end, end + 1, is_plain=True
        )
    if path := _PATH.match(text, start) or _SENTENCE.match(text, start):
        fix = edit("write it in double quotes", (start, start, '"'), (path.end(), path.end(), '"'))
        message, hint = f"{cut(path[0])} without quotes", "write it in double quotes"
        mistake = Mistake("ND012", start, path.end(), message, hint, fix)
        return Mended(mistake, start, path.end(), path.end(), is_plain=True)
    return None


def _is_plain(text: str, token: Token) -> bool:
    """True for a word alone, which may also be a constant or a number of another language."""
    return token.kind == "word" and bool(re.match(r"\s*(?:[,:}\]]|$)", text[token.end :][:80]))


def _late(late: re.Match[str], is_key: bool) -> Mended:
    """A string whose first quote stands behind its first letters, or with a prefix of Python."""
    start, end = late.start(), late.end()
    message = f"{late[1]} stands before the first quote"
    if late[1].lower() in _PREFIXES and not is_key:
        mistake = Mistake("ND012", start, end, message, "put it behind the quote, or take it away")
        return Mended(mistake, start, end - 1, end, is_plain=False)
    mistake = Mistake("ND012", start, end, message, f'write "{cut(late[1] + late[2])}"')
    return Mended(mistake, start, end - 1, end, is_plain=True, said=late[1] + late[2])
