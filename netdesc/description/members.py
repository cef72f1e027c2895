"""The members of a damaged object: their names, and what stands between name and value."""

from __future__ import annotations

import re
from collections.abc import Callable

from netdesc.description.brackets import CLOSING
from netdesc.description.nodes import Node
from netdesc.description.quotes import mend_separator
from netdesc.description.reading import Reading, span
from netdesc.description.scalars import Scalars
from netdesc.description.tokens import Token, cut, edit, token_at


class Members:
    """Takes names and colons; ``drop`` takes a value that cannot be kept."""

    def __init__(self, reading: Reading, scalars: Scalars, drop: Callable[[], None]) -> None:
        self._reading = reading
        self._scalars = scalars
        self._drop = drop

    def name(self, token: Token) -> str | None:
        """Takes the name of a member; ``None`` where there is none."""
        reading = self._reading
        is_bare = token.kind in ("word", "number", "constant")
        if is_bare and not reading.is_key(token) and reading.text[token.end : token.end + 1] != '"':
            message = f"a name in double quotes belongs here, not {reading.shown(token)}"
            is_word = token.kind == "word" and token_at(reading.text, token.end).kind in CLOSING
            hint = f'write "{cut(reading.text[token.start : token.end])}":' if is_word else ""
            reading.report_at(token, message, hint)
            reading.doubtful.append(tuple(reading.path))
            reading.take()
            return None
        if self._scalars.is_name(token):
            node = self._scalars.name()
            if node is None or isinstance(node.value, str):
                return node.value if node is not None else None
            self.colon(token)
            self._drop()
            return None
        if token.kind == ":" or token.kind in CLOSING:
            reading.report_at(token, f"a name is missing before {reading.shown(token)}")
            if token.kind == ":":
                reading.take()
            self._drop()
            return None
        reading.report_at(token, f"{reading.shown(token)} does not belong here")
        reading.doubtful.append(tuple(reading.path))
        reading.take()
        return None

    def colon(self, key: Token) -> bool:
        """Takes what stands between a name and its value; false where there is no value."""
        reading = self._reading
        token = reading.peek()
        if token.kind == ":":
            reading.take()
            return True
        if token.kind == "equals" or self._is_colon(token):
            fix = edit("write a colon", (*span(token), ":"))
            message = f"{reading.shown(token)} where a colon belongs"
            reading.report_at(token, message, "write a colon", fix)
            reading.take()
            return True
        if token.kind == "end":
            return False
        if mend_separator(reading.text, key, is_key=True) is not None:
            return True
        if reading.was_told():
            return False
        if token.kind in (",", ";", "}", "]", ")") or reading.is_key(token):
            message = f"{reading.shown(key)} has no value"
            reading.report("ND007", reading.behind(), message, 'add ":" and a value')
            return False
        fix = edit("add a colon", (reading.last, reading.last, ":"))
        message = f'":" is missing before {reading.shown(token)}'
        reading.report("ND007", reading.behind(), message, "add a colon here", fix)
        return True

    def _is_colon(self, comma: Token) -> bool:
        """True where a comma stands between a name and what can only be its value."""
        if comma.kind not in (",", ";"):
            return False
        text = self._reading.text
        token = token_at(text, comma.end)
        if token.kind in ("string", "quoted"):
            return token_at(text, token.end).kind in (",", "}", "]")
        is_value = token.kind in ("number", "constant", "{", "[")
        return is_value and not self._reading.is_key(token)

    def is_decimal_comma(self, node: Node, token: Token) -> bool:
        """Takes the digits behind a decimal comma."""
        reading, text = self._reading, self._reading.text
        before = re.search(r"(-?[0-9]{1,20}),\Z", text[max(0, token.start - 22) : token.start])
        if before is None or not node.children or reading.is_key(token):
            return False
        reading.take()
        start = token.start - len(before[0])
        written = before[1] + "." + text[token.start : token.end]
        message = f"{text[start : token.end]} is no number in JSON"
        fix = edit("write a decimal point", (token.start - 1, token.start, "."))
        reading.report("ND013", (start, token.end), message, f"write {written}", fix)
        reading.doubt_last(node)
        return True
