"""JSON errors with a certain fix, and the fixed text."""

from __future__ import annotations

import json
import re

import pytest
from support.damaged_samples import DATA, DIGITS, fixed, slips, swapped

CERTAIN = [
    # text, what is marked, start of the message, part of the hint
    (swapped(('"digits",', '"digits"')), '"', '"," or "}" is missing before "description"',
     "add a comma here"),
    (swapped(('_scale": 2},', '_scale": 2}')), "}", '"," or "]" is missing before "{"',
     "add a comma here"),
    (swapped(('"seed": 0,', '"seed": 0,,')), ",", "a comma too many", "remove"),
    (swapped(('_scale": 2}\n  ]', '_scale": 2},\n  ]')), ",", 'a comma before "]"',
     "remove the comma"),
    (swapped(("24,", "24;")), ";", '";" where a comma belongs', "write a comma"),
    (swapped(('"steps":', '"steps" =>')), "=>", '"=>" where a colon belongs', "write a colon"),
    (swapped(('"seed": 0', '"seed" 0')), '"', '":" is missing before "0"', "add a colon here"),
    (swapped(('"seed":', '"seed",')), ",", '"," where a colon belongs', "write a colon"),
    (swapped(('"seed":', '"seed"::')), ":", "a colon too many", "remove the colon"),
    (DIGITS.replace('"', "'"), "'$schema'", "a string in apostrophes, and 63 more", "json.dump"),
    (re.sub(r'"([^"\n]*)"', r"“\1”", DIGITS), "“$schema”",
     "a string in typographic quotes, and 63 more", "straight double quotes"),
    (swapped(('"hidden"', '"hidden”')), "”", "” closes no string", 'write "'),
    (re.sub(r'"(\w+)":', r"\1:", DIGITS), "format", "format without quotes, and 45 more",
     'write "format"'),
    (swapped(("0.03", ".03")), ".03", ".03 is not a number in JSON", "write 0.03"),
    (swapped(('"step_ms": 1.0', '"step_ms": 1.')), "1.", "1. is not a number in JSON", "write 1.0"),
    (swapped(("0.03", "+0.03")), "+0.03", "+0.03 is not a number", "write 0.03"),
    (swapped(("128", "0x80")), "0x80", "0x80 is not a number in JSON", "write 128"),
    (swapped(('"threshold": 0.5', '"threshold": 0,5')), "0,5", "0,5 is not a number in JSON",
     "write 0.5"),
    (swapped(('"seed": 0', '"seed":\xa00')), "\xa0", "U+00A0 outside of a string",
     "write a plain space"),
    (swapped(('"steps":', '"steps:"')), ':"', ": stands inside the quotes",
     "move it out of the quotes"),
    (swapped(('"digits",', '"digits,"')), ',"', ", stands inside the quotes",
     "move it out of the quotes"),
    (swapped(('"digits"', "'digits\"")), "'", "' opens no string", 'write "'),
    (swapped(('"../data/digits/digits.npz"', "../data/digits/digits.npz")),
     "../data/digits/digits.npz", "../data/digits/digits.npz without quotes",
     "write it in double quotes"),
    (re.sub('"(Tell.*)"', r"\1", swapped()), DATA["description"],
     "Tell handwritten digits apart: a grey v… without quotes", "write it in double quotes"),
    ("\ufeff" + DIGITS, "\ufeff", "the file starts with a byte order mark", "save without BOM"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "marked", "message", "hint"), CERTAIN)
def test_error_with_a_certain_fix(text, marked, message, hint, tmp_path):
    (diagnostic,) = slips(text, tmp_path)
    assert _marked(diagnostic) == marked
    assert diagnostic.message.startswith(message)
    assert hint in diagnostic.hint
    assert json.loads(fixed(text, diagnostic.fix)) == DATA
    carriage_returns = text.replace("\n", "\r\n")
    (same,) = slips(carriage_returns, tmp_path)
    assert (same.line, same.column, same.message) == (
        diagnostic.line,
        diagnostic.column,
        diagnostic.message,
    )
    assert json.loads(fixed(carriage_returns, same.fix)) == DATA


def _marked(diagnostic) -> str:
    assert diagnostic.line == diagnostic.end_line
    return diagnostic.excerpt[diagnostic.column - 1 : diagnostic.end_column - 1]
