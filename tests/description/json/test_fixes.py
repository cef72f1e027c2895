"""JSON errors with a certain fix, and the fixed text."""

from __future__ import annotations

import json
import re

import pytest
from support.damaged_samples import DATA, DIGITS, fixed, slips, swapped

TUPLES = {**DATA, "data": {**DATA["data"], "range": (0, 16)}}


CERTAIN = {
    # what is done: the text that is marked, the message and its hint
    "comma behind a line": (
        swapped(('"digits",', '"digits"')),
        ('"', '"," or "}" is missing before "description"', "add a comma here"),
    ),
    "comma in a line": (
        swapped(("24, ", "24 ")),
        ("4", '"," or "}" is missing before "step_ms"', "add a comma here"),
    ),
    "comma between layers": (
        swapped(('_scale": 2},', '_scale": 2}')),
        ("}", '"," or "]" is missing before "{"', "add a comma here"),
    ),
    "comma too many": (swapped(('"seed": 0,', '"seed": 0,,')), (",", "a comma too many", "remove")),
    "trailing comma": (
        swapped(('_scale": 2}\n  ]', '_scale": 2},\n  ]')),
        (",", 'a comma before "]"', "remove the comma"),
    ),
    "semicolon": (
        swapped(("24,", "24;")),
        (";", '";" where a comma belongs', "write a comma"),
    ),
    "equals": (
        swapped(('"steps":', '"steps" =')),
        ("=", '"=" where a colon belongs', "write a colon"),
    ),
    "arrow": (
        swapped(('"steps":', '"steps" =>')),
        ("=>", '"=>" where a colon belongs', "write a colon"),
    ),
    "no colon": (
        swapped(('"seed": 0', '"seed" 0')),
        ('"', '":" is missing before "0"', "add a colon here"),
    ),
    "comma for a colon": (
        swapped(('"seed":', '"seed",')),
        (",", '"," where a colon belongs', "write a colon"),
    ),
    "two colons": (swapped(('"seed":', '"seed"::')), (":", "a colon too many", "remove the colon")),
    "single quotes": (
        DIGITS.replace('"', "'"),
        ("'$schema'", "a string in apostrophes, and 63 more", "json.dump"),
    ),
    "python": (
        repr(TUPLES),
        ("'$schema'", "Python's notation, not JSON, here and in 65 more places", "json.dump"),
    ),
    "typographic quotes": (
        re.sub(r'"([^"\n]*)"', r"“\1”", DIGITS),
        ("“$schema”", "a string in typographic quotes, and 63 more", "straight double quotes"),
    ),
    "one typographic quote": (
        swapped(('"hidden"', '"hidden”')),
        ("”", "” closes no string", 'write "'),
    ),
    "names without quotes": (
        re.sub(r'"(\w+)":', r"\1:", DIGITS),
        ("format", "format without quotes, and 45 more", 'write "format"'),
    ),
    "digit before the point": (
        swapped(("0.03", ".03")),
        (".03", ".03 is not a number in JSON", "write 0.03"),
    ),
    "digit behind the point": (
        swapped(('"step_ms": 1.0', '"step_ms": 1.')),
        ("1.", "1. is not a number in JSON", "write 1.0"),
    ),
    "plus": (swapped(("0.03", "+0.03")), ("+0.03", "+0.03 is not a number", "write 0.03")),
    "hexadecimal": (
        swapped(("128", "0x80")),
        ("0x80", "0x80 is not a number in JSON", "write 128"),
    ),
    "decimal comma": (
        swapped(('"threshold": 0.5', '"threshold": 0,5')),
        ("0,5", "0,5 is not a number in JSON", "write 0.5"),
    ),
    "no-break space": (
        swapped(('"seed": 0', '"seed":\xa00')),
        ("\xa0", "U+00A0 outside of a string", "write a plain space"),
    ),
    "colon inside": (
        swapped(('"steps":', '"steps:"')),
        (':"', ": stands inside the quotes", "move it out of the quotes"),
    ),
    "comma inside": (
        swapped(('"digits",', '"digits,"')),
        (',"', ", stands inside the quotes", "move it out of the quotes"),
    ),
    "apostrophe before": (
        swapped(('"digits"', "'digits\"")),
        ("'", "' opens no string", 'write "'),
    ),
    "apostrophe behind": (
        swapped(('"digits"', "\"digits'")),
        ("'", "' closes no string", 'write "'),
    ),
    "path without quotes": (
        swapped(('"../data/digits/digits.npz"', "../data/digits/digits.npz")),
        (
            "../data/digits/digits.npz",
            "../data/digits/digits.npz without quotes",
            "write it in double quotes",
        ),
    ),
    "sentence without quotes": (
        re.sub('"(Tell.*)"', r"\1", swapped()),
        (
            DATA["description"],
            "Tell handwritten digits apart: a grey v… without quotes",
            "write it in double quotes",
        ),
    ),
    "byte order mark": (
        "\ufeff" + DIGITS,
        ("\ufeff", "the file starts with a byte order mark", "save without BOM"),
    ),
}


@pytest.mark.parametrize("name", CERTAIN)
def test_error_with_a_certain_fix(name, tmp_path):
    text, (marked, message, hint) = CERTAIN[name]
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
