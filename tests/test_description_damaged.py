"""What users do to a document: one finding for each mistake, at its place, and what is certain."""

from __future__ import annotations

import json
import pprint
import re
from pathlib import Path

import pytest
from damaged_samples import DATA, DIGITS, fixed, slips, swapped

from netdesc.description import check
from netdesc.description.source import Source
from netdesc.description.tree import parse

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
        (25, 14, "a string that is not closed", 'put a " after hidden'),
    ),
    "no closing quote behind": (
        swapped(('"digits",', '"digits,')),
        (4, 11, "a string that is not closed", 'put a " after digits'),
    ),
    "no opening quote": (
        swapped(('"hidden",', 'hidden",')),
        (25, 14, "hidden lacks its first quote", 'write "hidden"'),
    ),
    "no closing quote of a name in a line": (
        swapped(('"steps":', '"steps:')),
        (6, 12, "a string that is not closed", 'put a " after steps'),
    ),
    "no closing quote of a name": (
        swapped(('"epochs":', '"epochs:')),
        (30, 5, "a string that is not closed", 'put a " after epochs'),
    ),
    "no opening quote of a name": (
        swapped(('"steps":', 'steps":')),
        (6, 12, "steps lacks its first quote", 'write "steps"'),
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
        (9, 16, r"\d is no escape, and 2 more", 'a path takes "/" on every system'),
    ),
    "html": ("<!DOCTYPE html>\n<p>{}\n", (1, 1, 'a document begins with "{", not with <', "")),
    "yaml": ("format: 1\ntime:\n  steps: 3\n", (1, 1, 'a document begins with "{"', "")),
}


@pytest.mark.parametrize("name", ONE)
def test_one_mistake_is_one_finding(name, tmp_path):
    text, (line, column, message, hint) = ONE[name]
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
        ('"learning_rate": 0.01}', '"learning_rate": 0.01'),
    )  # fmt: skip
    found = slips(text, tmp_path)
    assert [(each.line, each.code) for each in found] == [
        (4, "ND007"),
        (18, "ND013"),
        (25, "ND101"),
        (26, "ND008"),
        (30, "ND106"),
        (33, "ND007"),
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
