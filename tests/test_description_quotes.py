"""Quotes that are missing, misplaced or of another kind: one finding for each, at its place."""

from __future__ import annotations

import json
import re

import pytest
from damaged_samples import DATA, EXAMPLES, fixed, slips, swapped

SLIPS = {
    # what is done to a string that stands in quotes, the letter and the mark behind it included
    "no first quote": r"\1\2\3\"\4",
    "no last quote": r'"\1\2\3\4',
    "no quotes": r"\1\2\3\4",
    "first quote twice": r'""\1\2\3"\4',
    "last quote twice": r'"\1\2\3""\4',
    "first quote late": r'\1"\2\3"\4',
    "last quote early": r'"\1\2"\3\4',
    "last quote behind the mark": r'"\1\2\3\4"',
    "first an apostrophe": r"'\1\2\3\"\4",
    "last an apostrophe": r"\"\1\2\3'\4",
    "apostrophes": r"'\1\2\3'\4",
    "last typographic": r'"\1\2\3”\4',
}


@pytest.mark.parametrize("example", ["digits", "oxford"])
@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_in_any_string_of_an_example_is_one_finding(example, slip, tmp_path):
    text = (EXAMPLES / f"{example}.json").read_text(encoding="utf-8")
    for match in re.finditer(r'"([^"])([^"]*)([^"])"([,:]?)', text):
        if slip == "last quote behind the mark" and not match[4]:
            continue
        written = match.expand(SLIPS[slip].replace(r"\"", '"'))
        found = slips(text[: match.start()] + written + text[match.end() :], tmp_path)
        line = text.count("\n", 0, match.start()) + 1
        assert [each.line for each in found] == [line], (written, [e.message for e in found])
        assert found[0].hint


CERTAIN = {
    # what is done: the finding's message and its hint
    "colon inside": (
        swapped(('"steps":', '"steps:"')),
        ("the colon stands inside the quotes", "put the colon behind the quote"),
    ),
    "comma inside": (
        swapped(('"digits",', '"digits,"')),
        ("the comma stands inside the quotes", "put the comma behind the quote"),
    ),
    "apostrophe before": (
        swapped(('"digits"', "'digits\"")),
        ("' opens no string", 'write "'),
    ),
    "apostrophe behind": (
        swapped(('"digits"', "\"digits'")),
        ("' closes no string", 'write "'),
    ),
    "path without quotes": (
        swapped(('"../data/digits/digits.npz"', "../data/digits/digits.npz")),
        ("../data/digits/digits.npz without quotes", "write it in double quotes"),
    ),
}


@pytest.mark.parametrize("name", CERTAIN)
def test_a_quote_with_a_certain_remedy(name, tmp_path):
    text, (message, hint) = CERTAIN[name]
    (finding,) = slips(text, tmp_path)
    assert (finding.message, finding.hint) == (message, hint)
    assert json.loads(fixed(text, finding.fix)) == DATA


ONE = {
    # what is done: the finding's message and its hint
    "first quote late": (
        swapped(('"time"', 't"ime"')),
        ("t stands before the first quote", 'write "time"'),
    ),
    "a raw string of Python": (
        swapped(('"../data/digits/digits.npz"', 'r"../data/digits/digits.npz"')),
        ("r stands before the first quote", "put it behind the quote, or take it away"),
    ),
    "last quote early": (
        swapped(('"hidden"', '"hidde"n')),
        ("n stands behind the last quote", 'write "hidden"'),
    ),
    "path without its first quote": (
        swapped(('"../data/digits/digits.npz"', '../data/digits/digits.npz"')),
        (
            "../data/digits/digits.npz lacks its first quote",
            'write "../data/digits/digits.npz"',
        ),
    ),
    "sentence without quotes": (
        re.sub('"(Tell.*)"', r"\1", swapped()),
        ("Tell handwritten digits apart: a grey v… without quotes", "write it in double quotes"),
    ),
}


@pytest.mark.parametrize("name", ONE)
def test_one_quote_is_one_finding(name, tmp_path):
    text, (message, hint) = ONE[name]
    (finding,) = slips(text, tmp_path)
    assert (finding.message, finding.hint) == (message, hint)


def test_the_type_that_nobody_can_read_is_not_called_null(tmp_path):
    (finding,) = slips(swapped(('"rate"', 'r"ate"')), tmp_path)
    assert finding.message == "r stands before the first quote"
