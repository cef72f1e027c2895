"""What users do to a document: one finding for each mistake, at its place, and what is certain."""

from __future__ import annotations

import json
import pprint
import re
from pathlib import Path

import pytest

from netdesc.description import check
from netdesc.description.source import Source
from netdesc.description.tree import parse

DIGITS = (Path(__file__).parent.parent / "examples/digits.json").read_text(encoding="utf-8")
DATA = json.loads(DIGITS)
TUPLES = {**DATA, "input": {"shape": (64,)}, "data": {**DATA["data"], "range": (0, 16)}}


def _findings(text: str, tmp_path: Path):
    path = tmp_path / "network.json"
    path.write_text(text, encoding="utf-8", newline="")
    return check(path, with_files=False)[1]


def _fixed(text: str, fix) -> str:
    for edit in sorted(fix.edits, key=lambda edit: edit.start, reverse=True):
        text = text[: edit.start] + edit.replacement + text[edit.end :]
    return text


def _swapped(*pairs: tuple[str, str]) -> str:
    text = DIGITS
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    return text


CERTAIN = {
    # what is done: the text that is marked, the finding's message and its hint
    "comma behind a line": (
        _swapped(('"digits",', '"digits"')),
        ('"', '"," or "}" is missing before "description"', "add a comma here"),
    ),
    "comma in a line": (
        _swapped(("24, ", "24 ")),
        ("4", '"," or "}" is missing before "step_ms"', "add a comma here"),
    ),
    "comma between layers": (
        _swapped(('_scale": 2},', '_scale": 2}')),
        ("}", '"," or "]" is missing before "{"', "add a comma here"),
    ),
    "comma too many": (_swapped(('"seed": 0,', '"seed": 0,,')), (",", "a comma too many", "take")),
    "trailing comma": (
        _swapped(('_scale": 2}\n  ]', '_scale": 2},\n  ]')),
        (",", 'a comma before "]"', "take the comma away"),
    ),
    "semicolon": (
        _swapped(("24,", "24;")),
        (";", '";" where a comma belongs', "write a comma"),
    ),
    "equals": (
        _swapped(('"steps":', '"steps" =')),
        ("=", '"=" where a colon belongs', "write a colon"),
    ),
    "arrow": (
        _swapped(('"steps":', '"steps" =>')),
        ("=>", '"=>" where a colon belongs', "write a colon"),
    ),
    "no colon": (
        _swapped(('"seed": 0', '"seed" 0')),
        ('"', '":" is missing before "0"', "add a colon here"),
    ),
    "two colons": (_swapped(('"seed":', '"seed"::')), (":", "a colon too many", "take the colon")),
    "single quotes": (
        DIGITS.replace('"', "'"),
        ("'$schema'", "a string in apostrophes, and 63 more", "json.dump"),
    ),
    "python": (
        repr(TUPLES),
        ("'$schema'", "Python's notation, not JSON, here and in 65 more places", "json.dump"),
    ),
    "pprint": (
        pprint.pformat(TUPLES, sort_dicts=False),
        ("'$schema'", "Python's notation, not JSON, here and in 65 more places", "json.dump"),
    ),
    "typographic quotes": (
        re.sub(r'"([^"\n]*)"', r"“\1”", DIGITS),
        ("“$schema”", "a string in typographic quotes, and 63 more", "straight double quotes"),
    ),
    "one typographic quote": (
        _swapped(('"hidden"', '"hidden”')),
        ("”", "” closes no string", 'write "'),
    ),
    "names without quotes": (
        re.sub(r'"(\w+)":', r"\1:", DIGITS),
        ("format", "format without quotes, and 45 more", 'write "format"'),
    ),
    "digit before the point": (
        _swapped(("0.03", ".03")),
        (".03", ".03 is no number in JSON", "write 0.03"),
    ),
    "digit behind the point": (
        _swapped(('"step_ms": 1.0', '"step_ms": 1.')),
        ("1.", "1. is no number in JSON", "write 1.0"),
    ),
    "plus": (_swapped(("0.03", "+0.03")), ("+0.03", "+0.03 is no number", "write 0.03")),
    "hexadecimal": (_swapped(("128", "0x80")), ("0x80", "0x80 is no number in JSON", "write 128")),
    "decimal comma": (
        _swapped(('"threshold": 0.5', '"threshold": 0,5')),
        ("0,5", "0,5 is no number in JSON", "write 0.5"),
    ),
    "no-break space": (
        _swapped(('"seed": 0', '"seed":\xa00')),
        ("\xa0", "U+00A0 (no-break space) outside of a string", "write a plain space"),
    ),
    "byte order mark": (
        "\ufeff" + DIGITS,
        ("\ufeff", "the file starts with a byte order mark", "save without BOM"),
    ),
    "code fence": (
        f"```json\n{DIGITS}```\n",
        ("```json", "a code fence of Markdown", "take its lines away"),
    ),
}


@pytest.mark.parametrize("name", CERTAIN)
def test_a_mistake_with_a_certain_remedy(name, tmp_path):
    text, (marked, message, hint) = CERTAIN[name]
    (finding,) = _findings(text, tmp_path)
    assert _marked(finding) == marked
    assert finding.message.startswith(message)
    assert hint in finding.hint
    assert json.loads(_fixed(text, finding.fix)) == DATA
    carriage_returns = text.replace("\n", "\r\n")
    (same,) = _findings(carriage_returns, tmp_path)
    assert (same.line, same.column, same.message) == (finding.line, finding.column, finding.message)
    assert json.loads(_fixed(carriage_returns, same.fix)) == DATA


def _marked(finding) -> str:
    assert finding.line == finding.end_line
    return finding.excerpt[finding.column - 1 : finding.end_column - 1]


ONE = {
    # what is done: line and column, the finding's message and its hint
    "brace of a section on lines": (
        _swapped(("0.03\n    }\n", "0.03\n")),
        (21, 22, '"}" is missing: line 16 opens "{"', 'add "}" here'),
    ),
    "brace of a section in a line": (
        _swapped(('"step_ms": 1.0},', '"step_ms": 1.0,')),
        (6, 38, '"}" is missing: line 6 opens "{"', 'add "}" here'),
    ),
    "brace and comma": (
        _swapped(('"step_ms": 1.0},', '"step_ms": 1.0')),
        (6, 38, '"}" is missing: line 6 opens "{"', 'add "}" here'),
    ),
    "bracket of the layers": (
        _swapped(('  ],\n  "loss"', '  "loss"')),
        (26, 89, '"]" is missing: line 24 opens "["', 'add "]" here'),
    ),
    "bracket of the layers before a comma": (
        _swapped(('2}\n  ],\n  "loss"', '2},\n  "loss"')),
        (26, 89, '"]" is missing: line 24 opens "["', 'add "]" here'),
    ),
    "brace of a layer": (
        _swapped(('_scale": 2},', '_scale": 2,')),
        (25, 89, '"}" is missing: line 25 opens "{"', 'add "}" here'),
    ),
    "bracket in a line": (
        _swapped(("[64]}", "[64}")),
        (14, 24, '"]" is missing: line 14 opens "["', 'add "]" here'),
    ),
    "opening brace of a section": (
        _swapped(('"input": {', '"input": ')),
        (14, 12, '"{" is missing before "shape"', 'add "{" here'),
    ),
    "opening brace of a layer": (
        _swapped(('{"name": "hidden"', '"name": "hidden"')),
        (25, 5, '"{" is missing before "name"', 'add "{" here'),
    ),
    "opening bracket": (_swapped(("[64]", "64]")), (14, 24, '"]" closes nothing', "take it away")),
    "first brace": (
        DIGITS.removeprefix("{\n"),
        (1, 3, '"{" is missing before "$schema"', 'a document is an object: {"format": 1, …}'),
    ),
    "last brace": (
        DIGITS.removesuffix("}\n"),
        (35, 3, 'the file ends, and the "{" of line 1 is not closed', "add }"),
    ),
    "brace too many in a line": (
        _swapped(('"step_ms": 1.0},', '"step_ms": 1.0}},')),
        (6, 40, '"}" closes nothing', "take it away"),
    ),
    "brace too many in a layer": (
        _swapped(('_scale": 2},', '_scale": 2}},')),
        (25, 91, '"}" closes nothing', "take it away"),
    ),
    "brace too many at the end": (DIGITS + "}\n", (37, 1, '"}" closes nothing', "take it away")),
    "wrong bracket": (
        _swapped(('  ],\n  "loss"', '  },\n  "loss"')),
        (27, 3, '"}" cannot close the "[" of line 24', 'write "]"'),
    ),
    "parenthesis": (
        _swapped(("[64]", "[64)")),
        (14, 25, '")" cannot close the "[" of line 14', 'write "]"'),
    ),
    "quote behind a number": (_swapped(("24,", '24",')), (6, 23, "a quote too many", "take")),
    "quote before a number": (_swapped(("24,", '"24,')), (6, 21, "a quote too many", "take")),
    "quote twice": (_swapped(('"hidden"', '"hidden""')), (25, 22, "a quote too many", "take")),
    "no closing quote in a line": (
        _swapped(('"hidden",', '"hidden,')),
        (25, 14, "a string that is not closed", 'put a " after hidden'),
    ),
    "no closing quote behind": (
        _swapped(('"digits",', '"digits,')),
        (4, 11, "a string that is not closed", 'put a " after digits'),
    ),
    "no opening quote": (
        _swapped(('"hidden",', 'hidden",')),
        (25, 14, "hidden lacks its first quote", 'write "hidden"'),
    ),
    "no closing quote of a name in a line": (
        _swapped(('"steps":', '"steps:')),
        (6, 12, "a string that is not closed", 'put a " after steps'),
    ),
    "no closing quote of a name": (
        _swapped(('"epochs":', '"epochs:')),
        (30, 5, "a string that is not closed", 'put a " after epochs'),
    ),
    "no opening quote of a name": (
        _swapped(('"steps":', 'steps":')),
        (6, 12, "steps lacks its first quote", 'write "steps"'),
    ),
    "quotes inside": (
        _swapped(("handwritten", '"handwritten"')),
        (5, 24, "a quote inside a string", 'write \\" for it'),
    ),
    "line break inside": (
        _swapped(("apart: a", "apart:\n  a")),
        (5, 18, "a line break inside a string", "write \\n for it"),
    ),
    "comments": (
        _swapped(('"seed": 0,', '"seed": 0, // none'), ('  "input"', '  /* 8 x 8\n */ "input"')),
        (14, 3, "a comment, and 1 more", "JSON has no comments"),
    ),
    "value without quotes": (
        _swapped(('"type": "cuba"', '"type": cuba')),
        (17, 15, "cuba without quotes", 'write "cuba"'),
    ),
    "no value": (
        _swapped(('"seed": 0', '"seed": ')),
        (31, 13, 'a value is missing before ","', ""),
    ),
    "no colon and no value": (
        _swapped(('"seed": 0', '"seed"')),
        (31, 10, '"seed" has no value', 'add ":" and a value'),
    ),
    "a unit": (
        _swapped(('"step_ms": 1.0', '"step_ms": 1ms')),
        (6, 36, "1ms is no number in JSON", "units stand in the names of fields"),
    ),
    "a unit behind a space": (
        _swapped(('"step_ms": 1.0', '"step_ms": 1 ms')),
        (6, 38, '"ms" does not belong here', '"," or "}" follows a value'),
    ),
    "zeros": (_swapped(('"seed": 0', '"seed": 007')), (31, 13, "007 is no number", "write 7")),
    "not a number": (_swapped(("0.03", "NaN")), (21, 19, "JSON has no number NaN", "finite")),
    "two documents": (
        DIGITS + DIGITS,
        (37, 1, "a second document begins here", "a file holds one document"),
    ),
    "merge conflict": (
        _swapped(
            (
                '    "seed": 0,\n',
                '<<<<<<< HEAD\n    "seed": 0,\n=======\n    "seed": "x",\n>>>>>>> other\n',
            )
        ),
        (31, 1, "a merge conflict that is not resolved", "keep one side"),
    ),
    "cut off in a string": (
        DIGITS[:900],
        (32, 7, 'the file ends, and the "{" of line 29 is not closed', "add }}"),
    ),
    "cut off behind a section": (
        DIGITS[: DIGITS.index('"neurons"')],
        (14, 27, 'the file ends, and the "{" of line 1 is not closed', "add }"),
    ),
    "brace of a section without lines": (
        json.dumps(DATA).replace('"step_ms": 1.0}', '"step_ms": 1.0'),
        (1, len(json.dumps(DATA)) - 1, 'the file ends, and the "{" of line 1', "add }"),
    ),
    "assignment": (
        "network = " + DIGITS,
        (1, 1, 'a document begins with "{", not with network =', ""),
    ),
    "dots": (
        _swapped(('"seed": 0,', "...")),
        (31, 5, 'a name in double quotes belongs here, not "..."', ""),
    ),
    "html": ("<!DOCTYPE html>\n<p>{}\n", (1, 1, 'a document begins with "{", not with <', "")),
    "yaml": ("format: 1\ntime:\n  steps: 3\n", (1, 1, 'a document begins with "{"', "")),
}


@pytest.mark.parametrize("name", ONE)
def test_one_mistake_is_one_finding(name, tmp_path):
    text, (line, column, message, hint) = ONE[name]
    (finding,) = _findings(text, tmp_path)
    assert (finding.line, finding.column) == (line, column)
    assert finding.message.startswith(message)
    assert hint in finding.hint
    assert finding.fix is None


def test_what_does_not_fit_is_shown_with_where_it_opened(tmp_path):
    (finding,) = _findings(_swapped(("0.03\n    }\n", "0.03\n")), tmp_path)
    (related,) = finding.related
    assert (related.line, related.column, related.end_column) == (16, 13, 14)
    assert related.excerpt == '    "cuba": {'


def test_several_mistakes_are_told_at_once_and_the_meaning_is_checked(tmp_path):
    text = _swapped(
        ('"digits",', '"digits"'),
        ('"threshold": 0.5', '"threshold": .5'),
        ('"units": 128', '"unts": 128'),
        ('2}\n  ]', '2},\n  ]'),
        ('"epochs": 100', '"epochs": 0'),
        ('"learning_rate": 0.01}', '"learning_rate": 0.01'),
    )  # fmt: skip
    found = _findings(text, tmp_path)
    assert [(each.line, each.code) for each in found] == [
        (4, "ND007"),
        (18, "ND013"),
        (25, "ND101"),
        (26, "ND008"),
        (30, "ND106"),
        (33, "ND007"),
    ]


def test_rules_hold_behind_a_mistake_of_which_the_meaning_is_plain(tmp_path):
    text = _swapped(('"digits",', '"digits"'), ('128, "neuron": "cuba"', '128, "neuron": "lif"'))
    assert [each.code for each in _findings(text, tmp_path)] == ["ND007", "ND201"]


def test_what_follows_from_a_value_that_nobody_knows_is_not_told(tmp_path):
    path = tmp_path / "network.json"
    directory = str(Path(__file__).parent.parent / "data")
    # Without a batch size, all samples are one batch, of which there is a warning; and with four
    # outputs, there are labels without one.
    for old, new, code in (
        ('"batch_size": 32', '"batch_size": NaN', "ND010"),
        ('"units": 10', '"units": 4: 10', "ND007"),
    ):
        path.write_text(_swapped((old, new), ("../data", directory)))
        assert [each.code for each in check(path)[1]] == [code]
    text = _swapped(('"time": {"steps": 24, "step_ms": 1.0}', '"time": "steps": 24'))
    (finding,) = _findings(text, tmp_path)
    assert finding.message == "a colon where a comma or the end belongs"


def test_items_before_and_behind_a_mistake_have_their_places():
    items = [{"a": number, "b": [number]} for number in range(50)]
    text = json.dumps(items, indent=1).replace('"a": 25,', '"a": 25')
    parsed = parse(Source(text, "t"))
    assert len(parsed.mistakes) == 1
    assert parsed.root is not None
    assert parsed.root.value == items
    for number in range(50):
        node = parsed.root.find((number, "b", 0))
        assert node is not None
        assert text[node.start : node.end] == str(number)
        parent = parsed.root.find((number,))
        assert parent is not None
        start, end = parent.keys["b"]
        assert text[start:end] == '"b"'
