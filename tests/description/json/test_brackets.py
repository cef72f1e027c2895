"""Missing, doubled and wrong brackets: one diagnostic for each, at its position."""

from __future__ import annotations

import json

import pytest
from support.damaged_samples import DATA, DIGITS, slips, swapped

BRACKETS = {
    # what is done: line and column, the message and its hint
    "brace of a section on lines": (
        swapped(("0.03\n    }\n", "0.03\n")),
        (21, 22, '"}" is missing: line 16 opens "{"', 'add "}" here'),
    ),
    "brace of a section in a line": (
        swapped(('"step_ms": 1.0},', '"step_ms": 1.0,')),
        (6, 38, '"}" is missing: line 6 opens "{"', 'add "}" here'),
    ),
    "brace and comma": (
        swapped(('"step_ms": 1.0},', '"step_ms": 1.0')),
        (6, 38, '"}" is missing: line 6 opens "{"', 'add "}" here'),
    ),
    "bracket of the layers": (
        swapped(('  ],\n  "loss"', '  "loss"')),
        (26, 89, '"]" is missing: line 24 opens "["', 'add "]" here'),
    ),
    "bracket in a line": (
        swapped(("[64]}", "[64}")),
        (14, 24, '"]" is missing: line 14 opens "["', 'add "]" here'),
    ),
    "opening brace of a section": (
        swapped(('"input": {', '"input": ')),
        (14, 12, '"{" is missing before "shape"', 'add "{" here'),
    ),
    "opening brace of a layer": (
        swapped(('{"name": "hidden"', '"name": "hidden"')),
        (25, 5, '"{" is missing before "name"', 'add "{" here'),
    ),
    "opening bracket": (
        swapped(("[64]", "64]")),
        (14, 24, '"]" closes nothing', 'remove it, or add "[" before "64"'),
    ),
    "opening bracket of one object": (
        swapped(('"encoding": {"type": "rate"}', '"encoding": {"type": "rate"}\n]')),
        (12, 17, '"[" is missing before "{"', 'add "[" here'),
    ),
    "opening bracket of the layers": (
        swapped(('"layers": [', '"layers": ')),
        (25, 5, '"[" is missing before "{"', 'add "[" here'),
    ),
    "opening bracket of numbers": (
        swapped(("[0, 16]", "0, 16]")),
        (11, 14, '"[" is missing before "0"', 'add "[" here'),
    ),
    "both brackets": (
        swapped(("[0, 16]", "0, 16")),
        (11, 14, "a list without brackets", "write it in brackets: […]"),
    ),
    "brace twice": (swapped(('"time": {', '"time": {{')), (6, 12, 'a "{" too many', "remove it")),
    "bracket twice": (swapped(("[64]", "[[64]")), (14, 23, 'a "[" too many', "remove it")),
    "brace for a bracket": (
        swapped(("[0, 16]", "{0, 16]")),
        (11, 14, '"{" cannot open what "]" closes', 'write "["'),
    ),
    "bracket for a brace": (
        swapped(('"time": {', '"time": [')),
        (6, 11, '"[" cannot open what "}" closes', 'write "{"'),
    ),
    "braces for brackets": (
        swapped(("[0, 16]", "{0, 16}")),
        (11, 14, 'a list in "{"', "write a list as […]"),
    ),
    "braces around a number": (
        swapped(('"epochs": 100', '"epochs": {100}')),
        (30, 15, 'a list in "{"', "write a list as […]"),
    ),
    "brackets for braces": (
        swapped(('{"steps": 24, "step_ms": 1.0}', '["steps": 24, "step_ms": 1.0]')),
        (6, 11, 'an object in "["', "write an object as {…}"),
    ),
    "first brace": (
        DIGITS.removeprefix("{\n"),
        (1, 3, '"{" is missing before "$schema"', 'add "{" here'),
    ),
    "last brace": (
        DIGITS.removesuffix("}\n"),
        (35, 3, '"}" is missing: line 1 opens "{"', 'add "}" here'),
    ),
    "brace too many in a line": (
        swapped(('"step_ms": 1.0},', '"step_ms": 1.0}},')),
        (6, 40, '"}" closes nothing', "remove it"),
    ),
    "brace too many at the end": (DIGITS + "}\n", (37, 1, '"}" closes nothing', "remove it")),
    "wrong bracket": (
        swapped(('  ],\n  "loss"', '  },\n  "loss"')),
        (27, 3, '"}" cannot close the "[" of line 24', 'write "]"'),
    ),
    "brace of a section without lines": (
        json.dumps(DATA).replace('"step_ms": 1.0}', '"step_ms": 1.0'),
        (1, len(json.dumps(DATA)) - 1, '"}" is missing: line 1 opens "{"', 'add "}" here'),
    ),
}


@pytest.mark.parametrize("name", BRACKETS)
def test_one_wrong_bracket_gives_one_diagnostic(name, tmp_path):
    text, (line, column, message, hint) = BRACKETS[name]
    (diagnostic,) = slips(text, tmp_path)
    assert (diagnostic.line, diagnostic.column, diagnostic.fix) == (line, column, None)
    assert diagnostic.message.startswith(message)
    assert hint in diagnostic.hint


def test_unmatched_bracket_shows_where_it_was_opened(tmp_path):
    (diagnostic,) = slips(swapped(("0.03\n    }\n", "0.03\n")), tmp_path)
    (related,) = diagnostic.related
    assert (related.line, related.column, related.end_column) == (16, 13, 14)
    assert related.excerpt == '    "cuba": {'
