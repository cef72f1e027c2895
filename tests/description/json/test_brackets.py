"""Missing, doubled and wrong brackets: one diagnostic for each, at its position."""

from __future__ import annotations

import pytest
from support.damaged_samples import DIGITS, slips, swapped

BRACKETS = [
    # text, line, column, start of the message, part of the hint
    (swapped(("0.03\n    }\n", "0.03\n")), 21, 22, '"}" is missing: line 16 opens "{"',
     'add "}" here'),
    (swapped(('"step_ms": 1.0},', '"step_ms": 1.0,')), 6, 38, '"}" is missing: line 6 opens "{"',
     'add "}" here'),
    (swapped(('  ],\n  "loss"', '  "loss"')), 26, 89, '"]" is missing: line 24 opens "["',
     'add "]" here'),
    (swapped(("[64]}", "[64}")), 14, 24, '"]" is missing: line 14 opens "["', 'add "]" here'),
    (swapped(('"input": {', '"input": ')), 14, 12, '"{" is missing before "shape"', 'add "{" here'),
    (swapped(('{"name": "hidden"', '"name": "hidden"')), 25, 5, '"{" is missing before "name"',
     'add "{" here'),
    (swapped(("[64]", "64]")), 14, 24, '"]" closes nothing', 'remove it, or add "[" before "64"'),
    (swapped(('"encoding": {"type": "rate"}', '"encoding": {"type": "rate"}\n]')), 12, 17,
     '"[" is missing before "{"', 'add "[" here'),
    (swapped(("[0, 16]", "0, 16")), 11, 14, "a list without brackets", "write it in brackets: […]"),
    (swapped(('"time": {', '"time": {{')), 6, 12, 'a "{" too many', "remove it"),
    (swapped(("[64]", "[[64]")), 14, 23, 'a "[" too many', "remove it"),
    (swapped(("[0, 16]", "{0, 16]")), 11, 14, '"{" cannot open what "]" closes', 'write "["'),
    (swapped(("[0, 16]", "{0, 16}")), 11, 14, 'a list in "{"', "write a list as […]"),
    (swapped(('{"steps": 24, "step_ms": 1.0}', '["steps": 24, "step_ms": 1.0]')), 6, 11,
     'an object in "["', "write an object as {…}"),
    (DIGITS.removeprefix("{\n"), 1, 3, '"{" is missing before "$schema"', 'add "{" here'),
    (DIGITS.removesuffix("}\n"), 35, 3, '"}" is missing: line 1 opens "{"', 'add "}" here'),
    (DIGITS + "}\n", 37, 1, '"}" closes nothing', "remove it"),
    (swapped(('  ],\n  "loss"', '  },\n  "loss"')), 27, 3, '"}" cannot close the "[" of line 24',
     'write "]"'),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "column", "message", "hint"), BRACKETS)
def test_one_wrong_bracket_gives_one_diagnostic(text, line, column, message, hint, tmp_path):
    (diagnostic,) = slips(text, tmp_path)
    assert (diagnostic.line, diagnostic.column, diagnostic.fix) == (line, column, None)
    assert diagnostic.message.startswith(message)
    assert hint in diagnostic.hint


def test_unmatched_bracket_shows_where_it_was_opened(tmp_path):
    (diagnostic,) = slips(swapped(("0.03\n    }\n", "0.03\n")), tmp_path)
    (related,) = diagnostic.related
    assert (related.line, related.column, related.end_column) == (16, 13, 14)
    assert related.excerpt == '    "cuba": {'
