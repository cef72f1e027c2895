"""Slips in a document: one diagnostic for each, at its position."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cli_process import Netdesc
from support.damaged_samples import DIGITS, EXAMPLES, slips, swapped
from support.description_samples import UNHURRIED
from support.grids import grid

from netdesc.api.load import check
from netdesc.description.json.reader import parse
from netdesc.description.source import Source

ONE = [
    # text, line, column, start of the message, part of the hint
    (swapped(('"loss":', "loss")), 28, 3, 'a name in double quotes belongs here, not "loss"',
     'write "loss":'),
    (swapped(('"units": 128', "128")), 25, 41, 'a name in double quotes belongs here, not "128"',
     ""),
    (swapped(('"loss": ', "")), 28, 3, 'a name is missing before "{"', ""),
    (swapped(("24,", '24",')), 6, 23, "a quote too many", "remove"),
    (swapped(('"hidden"', '"hidden""')), 25, 22, "a quote too many", "remove"),
    (swapped(('"hidden",', '"hidden,')), 25, 14, "a string that is not closed", 'write "hidden"'),
    (swapped(('"hidden",', 'hidden",')), 25, 14, "a string without its first quote",
     'write "hidden"'),
    (swapped(('"steps":', '"steps:')), 6, 12, "a string that is not closed", 'write "steps"'),
    (swapped(("handwritten", '"handwritten"')), 5, 24, "a quote inside a string",
     'write \\" for it'),
    (swapped(("apart: a", "apart:\n  a")), 5, 18, "a line break inside a string",
     "write \\n for it"),
    (swapped(('"seed": 0,', '"seed": 0, // none'), ('  "input"', '  /* 8 x 8\n */ "input"')), 14,
     3, "a comment, and 1 more", "JSON has no comments"),
    (swapped(('"seed": 0,', '"seed": 0, -- none')), 31, 16, "a comment", "JSON has no comments"),
    (swapped(('"type": "cuba"', '"type": cuba')), 17, 15, "cuba without quotes", 'write "cuba"'),
    (swapped(('"seed": 0', '"seed": ')), 31, 13, 'a value is missing before ","', ""),
    (swapped(('"seed": 0', '"seed"')), 31, 10, '"seed" has no value', 'add ":" and a value'),
    (swapped(('"step_ms": 1.0', '"step_ms": 1ms')), 6, 36, "1ms is not a number in JSON",
     "the names of fields state the units"),
    (swapped(('"step_ms": 1.0', '"step_ms": 1 ms')), 6, 38, '"ms" does not belong here',
     '"," or "}" follows a value'),
    (swapped(('"seed": 0', '"seed": 007')), 31, 13, "007 is not a number", "write 7"),
    (swapped(("0.03", "NaN")), 21, 19, "JSON has no number NaN", "finite"),
    (DIGITS + DIGITS, 37, 1, "a second document begins here", "a file holds one document"),
    (DIGITS[:900], 32, 7, 'the file ends, and the "{" of line 29 is not closed', "add }}"),
    (DIGITS[: DIGITS.index('"neurons"')], 14, 27,
     'the file ends, and the "{" of line 1 is not closed', "add }"),
    ("network = " + DIGITS, 1, 1, 'a document begins with "{", not with network =', ""),
    (swapped(('"seed": 0,', "...")), 31, 5, 'a name in double quotes belongs here, not "..."', ""),
    (swapped(('{"type": "rate"}', '{"rate"}')), 12, 23, '"rate" has no value',
     'add ":" and a value'),
    (swapped(('"true_rate": 0.9', '"true_rate": 90%')), 28, 49, '"%" does not belong here',
     '"," or "}" follows a value'),
    (swapped(("../data/digits/digits", r"..\data\digits\digits")), 9, 16,
     r"\d is not an escape sequence", 'a path takes "/" on every system'),
    ("<!DOCTYPE html>\n<p>{}\n", 1, 1, 'a document begins with "{", not with <', ""),
    ("format: 1\ntime:\n  steps: 3\n", 1, 1, 'a document begins with "{"', ""),
]  # fmt: skip


@pytest.mark.parametrize("text", ['{,"format": 1}', '{"format": 1,,"name": "b"}'])
def test_a_comma_before_a_name_is_removed_and_the_name_stays(
    netdesc: Netdesc, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    assert netdesc("validate", "--fix", path).code == 1
    assert list(json.loads(path.read_text())) == [
        name for name in ("format", "name") if name in text
    ]


def test_commas_at_the_end_are_found_however_many_a_line_has(tmp_path: Path) -> None:
    text = '{"format": 1, "time": {"steps": 30,}, "list": [1, [2,],],}'
    path = tmp_path / "a.json"
    path.write_text(text)
    found = [each for each in check(path)[1] if each.code == "ND008"]
    ends = [index + 1 for index, sign in enumerate(text) if sign == "," and text[index + 1] in "]}"]
    assert [each.column for each in found] == ends


@pytest.mark.parametrize(("text", "line", "column", "message", "hint"), ONE)
def test_one_error_gives_one_diagnostic(text, line, column, message, hint, tmp_path):
    (diagnostic,) = slips(text, tmp_path)
    assert (diagnostic.line, diagnostic.column, diagnostic.fix) == (line, column, None)
    assert diagnostic.message.startswith(message)
    assert hint in diagnostic.hint


@given(st.integers(1, len(DIGITS.rstrip()) - 1))
def test_what_is_cut_off_is_not_repaired(length: int) -> None:
    parsed = parse(Source(DIGITS[:length], "t"))
    assert parsed.diagnostics
    assert [each.fix for each in parsed.diagnostics if each.fix is not None] == []


def test_several_errors_are_reported_together_and_rules_are_checked(tmp_path):
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


def test_rules_are_checked_after_a_certain_repair(tmp_path):
    text = swapped(('"digits",', '"digits"'), ('128, "neuron": "cuba"', '128, "neuron": "lif"'))
    assert [each.code for each in slips(text, tmp_path)] == ["ND007", "ND201"]


def test_consequences_of_an_unreadable_value_are_not_reported(tmp_path):
    path = tmp_path / "network.json"
    directory = str(Path(__file__).parents[3] / "data")
    # Without a batch size, all samples are one batch, of which there is a warning; and with four
    # outputs, there are labels without one.
    for old, new, code in (
        ('"batch_size": 32', '"batch_size": NaN', "ND010"),
        ('"units": 10', '"units": 4: 10', "ND007"),
    ):
        path.write_text(swapped((old, new), ("../data", directory)))
        assert [each.code for each in check(path)[1]] == [code]
    text = swapped(('"time": {"steps": 24, "step_ms": 1.0}', '"time": "steps": 24'))
    (diagnostic,) = slips(text, tmp_path)
    assert diagnostic.message == "a colon where a comma or the end belongs"


def test_items_before_and_after_an_error_keep_their_positions():
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
        start, end = parent.key_span("b")
        assert text[start:end] == '"b"'


OTHER = {"{": "[", "}": "]", "[": "{", "]": "}", ",": ";", ":": ","}


@pytest.mark.parametrize("example", grid(["digits", "oxford"], ["oxford"]))
@pytest.mark.parametrize("slip", ["left out", "twice", "another"])
def test_a_wrong_punctuation_character_gives_one_diagnostic(example, slip, tmp_path):
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
    "last quote early": r'"\1\2"\3\4',
    "last quote behind the mark": r'"\1\2\3\4"',
    "first an apostrophe": r"'\1\2\3\"\4",
    "last an apostrophe": r"\"\1\2\3'\4",
    "apostrophes": r"'\1\2\3'\4",
    "last typographic": r'"\1\2\3”\4',
}


@pytest.mark.parametrize("example", grid(["digits", "oxford"], ["digits"]))
@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_in_any_string_gives_one_diagnostic(example, slip, tmp_path):
    text = (EXAMPLES / f"{example}.json").read_text(encoding="utf-8")
    for match in re.finditer(r'"([^"])([^"]*)([^"])"([,:]?)', text):
        if slip == "last quote behind the mark" and not match[4]:
            continue
        written = match.expand(SLIPS[slip].replace(r"\"", '"'))
        found = slips(text[: match.start()] + written + text[match.end() :], tmp_path)
        line = text.count("\n", 0, match.start()) + 1
        assert [each.line for each in found] == [line], (written, [e.message for e in found])
        assert found[0].hint


TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[-+.\w]+|[{}\[\],:]')
PLACES = [match.span() for match in TOKEN.finditer(DIGITS)]
WRITTEN = ["", *'{}[],:";=/x1', "'", "NaN", "...", '"a"', "\t", "// a", "True"]


@UNHURRIED
@given(st.sampled_from(PLACES), st.sampled_from(WRITTEN), st.booleans())
def test_a_wrong_token_is_found_near_its_position(place, written, is_added):
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
