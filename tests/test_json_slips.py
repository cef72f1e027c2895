"""What users do to a document: one diagnostic for each slip, at its place, and what is certain."""

from __future__ import annotations

import json
import pprint
import re
from pathlib import Path

import pytest
from damaged_samples import DATA, DIGITS, EXAMPLES, fixed, slips, swapped
from description_samples import UNHURRIED
from hypothesis import given
from hypothesis import strategies as st

from netdesc.description import check
from netdesc.description.json.reader import parse
from netdesc.description.source import Source

TUPLES = {**DATA, "input": {"shape": (64,)}, "data": {**DATA["data"], "range": (0, 16)}}


CERTAIN = {
    # what is done: the text that is marked, the finding's message and its hint
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
    "comma too many": (swapped(('"seed": 0,', '"seed": 0,,')), (",", "a comma too many", "take")),
    "trailing comma": (
        swapped(('_scale": 2}\n  ]', '_scale": 2},\n  ]')),
        (",", 'a comma before "]"', "take the comma away"),
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
    "comma for a colon before a string": (
        swapped(('"name":', '"name",')),
        (",", '"," where a colon belongs', "write a colon"),
    ),
    "two colons": (swapped(('"seed":', '"seed"::')), (":", "a colon too many", "take the colon")),
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
        swapped(('"hidden"', '"hidden”')),
        ("”", "” closes no string", 'write "'),
    ),
    "names without quotes": (
        re.sub(r'"(\w+)":', r"\1:", DIGITS),
        ("format", "format without quotes, and 45 more", 'write "format"'),
    ),
    "digit before the point": (
        swapped(("0.03", ".03")),
        (".03", ".03 is no number in JSON", "write 0.03"),
    ),
    "digit behind the point": (
        swapped(('"step_ms": 1.0', '"step_ms": 1.')),
        ("1.", "1. is no number in JSON", "write 1.0"),
    ),
    "plus": (swapped(("0.03", "+0.03")), ("+0.03", "+0.03 is no number", "write 0.03")),
    "hexadecimal": (swapped(("128", "0x80")), ("0x80", "0x80 is no number in JSON", "write 128")),
    "decimal comma": (
        swapped(('"threshold": 0.5', '"threshold": 0,5')),
        ("0,5", "0,5 is no number in JSON", "write 0.5"),
    ),
    "no-break space": (
        swapped(('"seed": 0', '"seed":\xa00')),
        ("\xa0", "U+00A0 outside of a string", "write a plain space"),
    ),
    "colon inside": (
        swapped(('"steps":', '"steps:"')),
        (':"', ": stands inside the quotes", "put it behind the quote"),
    ),
    "comma inside": (
        swapped(('"digits",', '"digits,"')),
        (',"', ", stands inside the quotes", "put it behind the quote"),
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
    "code fence": (
        f"```json\n{DIGITS}```\n",
        ("```json", "a code fence of Markdown", "take its lines away"),
    ),
}


@pytest.mark.parametrize("name", CERTAIN)
def test_a_mistake_with_a_certain_remedy(name, tmp_path):
    text, (marked, message, hint) = CERTAIN[name]
    (finding,) = slips(text, tmp_path)
    assert _marked(finding) == marked
    assert finding.message.startswith(message)
    assert hint in finding.hint
    assert json.loads(fixed(text, finding.fix)) == DATA
    carriage_returns = text.replace("\n", "\r\n")
    (same,) = slips(carriage_returns, tmp_path)
    assert (same.line, same.column, same.message) == (finding.line, finding.column, finding.message)
    assert json.loads(fixed(carriage_returns, same.fix)) == DATA


def _marked(finding) -> str:
    assert finding.line == finding.end_line
    return finding.excerpt[finding.column - 1 : finding.end_column - 1]


ONE = {
    # what is done: line and column, the finding's message and its hint
    "neither quotes nor colon": (
        swapped(('"loss":', "loss")),
        (28, 3, 'a name in double quotes belongs here, not "loss"', 'write "loss":'),
    ),
    "no name": (
        swapped(('"units": 128', "128")),
        (25, 41, 'a name in double quotes belongs here, not "128"', ""),
    ),
    "no first name": (
        swapped(('"epochs": 100', "100")),
        (30, 5, 'a name in double quotes belongs here, not "100"', ""),
    ),
    "no name and no colon": (
        swapped(('"loss": ', "")),
        (28, 3, 'a name is missing before "{"', ""),
    ),
    "a number too many": (
        swapped(('"epochs": 100', '"epochs": {100}')),
        (30, 15, 'a list in "{"', "write a list as […]"),
    ),
    "quote behind a number": (swapped(("24,", '24",')), (6, 23, "a quote too many", "take")),
    "quote before a number": (swapped(("24,", '"24,')), (6, 21, "a quote too many", "take")),
    "quote twice": (swapped(('"hidden"', '"hidden""')), (25, 22, "a quote too many", "take")),
    "no closing quote in a line": (
        swapped(('"hidden",', '"hidden,')),
        (25, 14, "a string that is not closed", 'write "hidden"'),
    ),
    "no closing quote behind": (
        swapped(('"digits",', '"digits,')),
        (4, 11, "a string that is not closed", 'write "digits"'),
    ),
    "no opening quote": (
        swapped(('"hidden",', 'hidden",')),
        (25, 14, "a string that lacks its first quote", 'write "hidden"'),
    ),
    "no closing quote of a name in a line": (
        swapped(('"steps":', '"steps:')),
        (6, 12, "a string that is not closed", 'write "steps"'),
    ),
    "no closing quote of a name": (
        swapped(('"epochs":', '"epochs:')),
        (30, 5, "a string that is not closed", 'write "epochs"'),
    ),
    "first quote late": (
        swapped(('"time"', 't"ime"')),
        (6, 3, "t stands before the first quote", 'write "time"'),
    ),
    "a raw string of Python": (
        swapped(('"../data/digits/digits.npz"', 'r"../data/digits/digits.npz"')),
        (9, 13, "r stands before the first quote", 'write "r../data/digits/digits.npz"'),
    ),
    "a type that nobody can read": (
        swapped(('"rate"', 'r"ate"')),
        (12, 26, "r stands before the first quote", 'write "rate"'),
    ),
    "last quote early": (
        swapped(('"hidden"', '"hidde"n')),
        (25, 14, "n stands behind the last quote", 'write "hidden"'),
    ),
    "path without its first quote": (
        swapped(('"../data/digits/digits.npz"', '../data/digits/digits.npz"')),
        (9, 13, "a string that lacks its first quote", 'write "../data/digits/digits.npz"'),
    ),
    "no opening quote of a name": (
        swapped(('"steps":', 'steps":')),
        (6, 12, "a string that lacks its first quote", 'write "steps"'),
    ),
    "quotes inside": (
        swapped(("handwritten", '"handwritten"')),
        (5, 24, "a quote inside a string", 'write \\" for it'),
    ),
    "line break inside": (
        swapped(("apart: a", "apart:\n  a")),
        (5, 18, "a line break inside a string", "write \\n for it"),
    ),
    "comments": (
        swapped(('"seed": 0,', '"seed": 0, // none'), ('  "input"', '  /* 8 x 8\n */ "input"')),
        (14, 3, "a comment, and 1 more", "JSON has no comments"),
    ),
    "a comment after dashes": (
        swapped(('"seed": 0,', '"seed": 0, -- none')),
        (31, 16, "a comment", "JSON has no comments"),
    ),
    "value without quotes": (
        swapped(('"type": "cuba"', '"type": cuba')),
        (17, 15, "cuba without quotes", 'write "cuba"'),
    ),
    "no value": (
        swapped(('"seed": 0', '"seed": ')),
        (31, 13, 'a value is missing before ","', ""),
    ),
    "no colon and no value": (
        swapped(('"seed": 0', '"seed"')),
        (31, 10, '"seed" has no value', 'add ":" and a value'),
    ),
    "a unit": (
        swapped(('"step_ms": 1.0', '"step_ms": 1ms')),
        (6, 36, "1ms is no number in JSON", "units stand in the names of fields"),
    ),
    "a unit behind a space": (
        swapped(('"step_ms": 1.0', '"step_ms": 1 ms')),
        (6, 38, '"ms" does not belong here', '"," or "}" follows a value'),
    ),
    "zeros": (swapped(('"seed": 0', '"seed": 007')), (31, 13, "007 is no number", "write 7")),
    "not a number": (swapped(("0.03", "NaN")), (21, 19, "JSON has no number NaN", "finite")),
    "two documents": (
        DIGITS + DIGITS,
        (37, 1, "a second document begins here", "a file holds one document"),
    ),
    "cut off in a string": (
        DIGITS[:900],
        (32, 7, 'the file ends, and the "{" of line 29 is not closed', "add }}"),
    ),
    "cut off behind a section": (
        DIGITS[: DIGITS.index('"neurons"')],
        (14, 27, 'the file ends, and the "{" of line 1 is not closed', "add }"),
    ),
    "assignment": (
        "network = " + DIGITS,
        (1, 1, 'a document begins with "{", not with network =', ""),
    ),
    "dots": (
        swapped(('"seed": 0,', "...")),
        (31, 5, 'a name in double quotes belongs here, not "..."', ""),
    ),
    "a type alone": (
        swapped(('{"type": "rate"}', '{"rate"}')),
        (12, 23, '"rate" has no value', 'add ":" and a value'),
    ),
    "a percentage": (
        swapped(('"true_rate": 0.9', '"true_rate": 90%')),
        (28, 49, '"%" does not belong here', '"," or "}" follows a value'),
    ),
    "a path of Windows": (
        swapped(("../data/digits/digits", r"..\data\digits\digits")),
        (9, 16, r"\d is no escape", 'a path takes "/" on every system'),
    ),
    "html": ("<!DOCTYPE html>\n<p>{}\n", (1, 1, 'a document begins with "{", not with <', "")),
    "yaml": ("format: 1\ntime:\n  steps: 3\n", (1, 1, 'a document begins with "{"', "")),
}


BRACKETS = {
    # what is done: line and column, the finding's message and its hint
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
    "bracket of the layers before a comma": (
        swapped(('2}\n  ],\n  "loss"', '2},\n  "loss"')),
        (26, 89, '"]" is missing: line 24 opens "["', 'add "]" here'),
    ),
    "brace of a layer": (
        swapped(('_scale": 2},', '_scale": 2,')),
        (25, 89, '"}" is missing: line 25 opens "{"', 'add "}" here'),
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
        (14, 24, '"]" closes nothing', 'take it away, or add "[" before "64"'),
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
    "opening bracket of numbers without a space": (
        swapped(("[0, 16]", "0,16]")),
        (11, 14, '"[" is missing before "0"', 'add "[" here'),
    ),
    "both brackets": (
        swapped(("[0, 16]", "0, 16")),
        (11, 14, "a list without brackets", "write it in brackets: […]"),
    ),
    "both brackets of the layers": (
        swapped(('"layers": [', '"layers":'), ("\n  ],", ",")),
        (25, 5, "a list without brackets", "write it in brackets: […]"),
    ),
    "brace twice": (swapped(('"time": {', '"time": {{')), (6, 12, 'a "{" too many', "take it")),
    "bracket twice": (swapped(("[64]", "[[64]")), (14, 23, 'a "[" too many', "take it")),
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
    "brackets for braces": (
        swapped(('{"steps": 24, "step_ms": 1.0}', '["steps": 24, "step_ms": 1.0]')),
        (6, 11, 'an object in "["', "write an object as {…}"),
    ),
    "brace too many in the last section": (
        swapped(('"cosine"}', '"cosine"}}')),
        (34, 35, '"}" closes nothing', "take it away"),
    ),
    "brace too many before a name": (
        swapped(("0.01},", "0.01}},")),
        (33, 57, '"}" closes nothing', "take it away"),
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
        (6, 40, '"}" closes nothing', "take it away"),
    ),
    "brace too many in a layer": (
        swapped(('_scale": 2},', '_scale": 2}},')),
        (25, 91, '"}" closes nothing', "take it away"),
    ),
    "brace too many at the end": (DIGITS + "}\n", (37, 1, '"}" closes nothing', "take it away")),
    "wrong bracket": (
        swapped(('  ],\n  "loss"', '  },\n  "loss"')),
        (27, 3, '"}" cannot close the "[" of line 24', 'write "]"'),
    ),
    "parenthesis": (
        swapped(("[64]", "[64)")),
        (14, 25, '")" cannot close the "[" of line 14', 'write "]"'),
    ),
    "brace of a section without lines": (
        json.dumps(DATA).replace('"step_ms": 1.0}', '"step_ms": 1.0'),
        (1, len(json.dumps(DATA)) - 1, '"}" is missing: line 1 opens "{"', 'add "}" here'),
    ),
}


@pytest.mark.parametrize("name", [*ONE, *BRACKETS])
def test_one_mistake_is_one_finding(name, tmp_path):
    text, (line, column, message, hint) = {**ONE, **BRACKETS}[name]
    (finding,) = slips(text, tmp_path)
    assert (finding.line, finding.column) == (line, column)
    assert finding.message.startswith(message)
    assert hint in finding.hint
    assert finding.fix is None


def test_several_mistakes_are_told_at_once_and_the_meaning_is_checked(tmp_path):
    text = swapped(
        ('"digits",', '"digits"'),
        ('"threshold": 0.5', '"threshold": .5'),
        ('"units": 128', '"unts": 128'),
        ('2}\n  ]', '2},\n  ]'),
        ('"epochs": 100', '"epochs": 0'),
    )  # fmt: skip
    found = slips(text, tmp_path)
    assert [(each.line, each.code) for each in found] == [
        (4, "ND007"),
        (18, "ND013"),
        (25, "ND101"),
        (26, "ND008"),
        (30, "ND106"),
    ]


def test_rules_hold_behind_a_mistake_of_which_the_meaning_is_plain(tmp_path):
    text = swapped(('"digits",', '"digits"'), ('128, "neuron": "cuba"', '128, "neuron": "lif"'))
    assert [each.code for each in slips(text, tmp_path)] == ["ND007", "ND201"]


def test_what_follows_from_a_value_that_nobody_knows_is_not_told(tmp_path):
    path = tmp_path / "network.json"
    directory = str(Path(__file__).parent.parent / "data")
    # Without a batch size, all samples are one batch, of which there is a warning; and with four
    # outputs, there are labels without one.
    for old, new, code in (
        ('"batch_size": 32', '"batch_size": NaN', "ND010"),
        ('"units": 10', '"units": 4: 10', "ND007"),
    ):
        path.write_text(swapped((old, new), ("../data", directory)))
        assert [each.code for each in check(path)[1]] == [code]
    text = swapped(('"time": {"steps": 24, "step_ms": 1.0}', '"time": "steps": 24'))
    (finding,) = slips(text, tmp_path)
    assert finding.message == "a colon where a comma or the end belongs"


def test_items_before_and_behind_a_mistake_have_their_places():
    items = [{"a": number, "b": [number]} for number in range(50)]
    text = json.dumps(items, indent=1).replace('"a": 25,', '"a": 25')
    parsed = parse(Source(text, "t"))
    assert len(parsed.diagnostics) == 1
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


def test_what_does_not_fit_is_shown_with_where_it_opened(tmp_path):
    (finding,) = slips(swapped(("0.03\n    }\n", "0.03\n")), tmp_path)
    (related,) = finding.related
    assert (related.line, related.column, related.end_column) == (16, 13, 14)
    assert related.excerpt == '    "cuba": {'


OTHER = {"{": "[", "}": "]", "[": "{", "]": "}", ",": ";", ":": ","}


@pytest.mark.parametrize("example", ["digits", "oxford"])
@pytest.mark.parametrize("slip", ["left out", "twice", "another"])
def test_a_slip_in_any_mark_of_an_example_is_one_finding(example, slip, tmp_path):
    text = (EXAMPLES / f"{example}.json").read_text(encoding="utf-8")
    for match in re.finditer(r'"[^"]*"|([{}\[\],:])', text):
        mark, at = match[1], match.start()
        if not mark:
            continue
        written = {"left out": "", "twice": mark * 2, "another": OTHER[mark]}[slip]
        found = slips(text[:at] + written + text[at + 1 :], tmp_path)
        line = text.count("\n", 0, at) + 1
        assert len(found) == 1, (line, mark, [each.message for each in found])
        marked = [each.line for each in (*found, *found[0].related)]
        assert any(abs(each - line) <= 1 for each in marked)


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


WHOLE = "a merge conflict that is not resolved"
KEEP = "keep one side, and take the markers away"
SEED = '    "seed": 0,\n'


def _seed(text: str) -> str:
    return swapped((SEED, text))


CASES = {
    # what is done: lines of the markers, the finding's message and its hint
    "whole": (
        _seed(f'<<<<<<< HEAD\n{SEED}=======\n    "sed": "x",\n>>>>>>> other\n'),
        ([31, 33, 35], WHOLE, KEEP),
    ),
    "with the base": (
        _seed(f"<<<<<<< HEAD\n{SEED}||||||| 1234\n{SEED}=======\n{SEED}>>>>>>> other\n"),
        ([31, 33, 35, 37], WHOLE, KEEP),
    ),
    "indented": (
        _seed(f"    <<<<<<< HEAD\n{SEED}    =======\n{SEED}    >>>>>>> other\n"),
        ([31, 33, 35], WHOLE, KEEP),
    ),
    "a side that lacks its comma": (
        _seed(f'<<<<<<< HEAD\n    "seed": 0\n=======\n{SEED}>>>>>>> other\n'),
        ([31, 33, 35], WHOLE, KEEP),
    ),
    "without the middle": (
        _seed(f"<<<<<<< HEAD\n{SEED}>>>>>>> other\n"),
        ([31, 33], WHOLE, KEEP),
    ),
    "without the first": (
        _seed(f"{SEED}=======\n{SEED}>>>>>>> other\n"),
        ([32, 34], WHOLE, KEEP),
    ),
    "without the last": (_seed(f"<<<<<<< HEAD\n{SEED}=======\n"), ([31, 33], WHOLE, KEEP)),
    "only the first": (_seed(f"<<<<<<< HEAD\n{SEED}"), ([31], WHOLE, KEEP)),
    "only the middle": (_seed(f"{SEED}=======\n"), ([32], WHOLE, KEEP)),
    "only the last": (_seed(f"{SEED}>>>>>>> other\n"), ([32], WHOLE, KEEP)),
}


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("name", CASES)
def test_a_conflict_is_one_finding(name, newline, tmp_path):
    text, (lines, message, hint) = CASES[name]
    (finding,) = slips(text.replace("\n", newline), tmp_path)
    assert [finding.line, *(each.line for each in finding.related)] == lines
    assert (finding.message, finding.hint, finding.fix) == (message, hint, None)


def test_what_is_wrong_elsewhere_is_told_and_mended(tmp_path):
    conflict = f"<<<<<<< HEAD\n{SEED}=======\n{SEED}>>>>>>> other\n"
    text = _seed(conflict).replace('"digits",', '"digits"')
    found = slips(text + conflict, tmp_path)
    assert [(each.line, each.fix is not None) for each in found] == [
        (4, True),
        (31, False),
        (DIGITS.count("\n") + 5, False),
    ]


def test_of_very_many_conflicts_the_first_are_told(tmp_path):
    conflict = f"<<<<<<< HEAD\n{SEED}=======\n{SEED}>>>>>>> other\n"
    found = slips(_seed(SEED + conflict * 1100), tmp_path)
    assert len([each for each in found if each.message == WHOLE]) == 20


TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[-+.\w]+|[{}\[\],:]')
PLACES = [match.span() for match in TOKEN.finditer(DIGITS)]
WRITTEN = ["", *'{}[],:";=/x1', "'", "NaN", "...", '"a"', "\t", "// a", "True"]


@UNHURRIED
@given(st.sampled_from(PLACES), st.sampled_from(WRITTEN), st.booleans())
def test_one_wrong_token_is_found_near_its_place(place, written, is_added):
    start, end = place
    text = DIGITS[: end if is_added else start] + written + DIGITS[end:]
    try:
        json.loads(text)
    except ValueError:
        source = Source(text, "t")
        found = parse(source).diagnostics
        assert found
        lines = [source.place(each.start)[0] for each in (found[0], *found[0].related)]
        slip = DIGITS.count("\n", 0, start) + 1
        # A bracket in the place of a name or a value is two slips.
        is_near = any(abs(line - slip) <= 1 for line in lines)
        assert is_near or not is_added, [each.message for each in found]
