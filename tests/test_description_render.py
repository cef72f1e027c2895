"""Diagnostics as text and as JSON."""

from __future__ import annotations

import json
import unicodedata

from description_samples import UNHURRIED
from hypothesis import given
from hypothesis import strategies as st

from netdesc.description import Diagnostic, render_text, to_json


def _finding(line: str, start: int, end: int, **more) -> Diagnostic:
    return Diagnostic(
        "ND101",
        "error",
        "a.json",
        "a message",
        "/a",
        7,
        start + 1,
        7,
        end + 1,
        excerpt=line,
        **more,
    )


def _columns(text: str) -> int:
    return sum(
        0 if unicodedata.combining(each) else 1 + (unicodedata.east_asian_width(each) in "WF")
        for each in text
    )


def _carets(shown: str) -> tuple[str, str]:
    """What the carets mark, and the excerpt."""
    excerpt, carets = shown.splitlines()[3:5]
    excerpt, carets = excerpt[4:], carets[4:]
    start = len(carets) - len(carets.lstrip())
    width = carets.count("^")
    cells = ""
    for each in excerpt:
        cells += each + "\0" * (_columns(each) - 1)
    return cells[start : start + width].replace("\0", ""), excerpt


def test_carets_stand_under_the_place():
    assert _carets(render_text([_finding('{"a": 1}', 1, 4)])) == ('"a"', '{"a": 1}')
    assert _carets(render_text([_finding('\t{"a": 1}', 2, 5)]))[0] == '"a"'
    assert _carets(render_text([_finding('{"日本": "é", "a": 1}', 12, 15)]))[0] == '"a"'
    assert _carets(render_text([_finding("[1", 2, 2)]))[0] == ""


def test_long_lines_are_cut_around_the_place():
    line = '{"x": "' + "y" * 500 + '", "a": 1, "z": "' + "w" * 500 + '"}'
    start = line.index('"a"')
    shown = render_text([_finding(line, start, start + 3)], width=60)
    marked, excerpt = _carets(shown)
    assert marked == '"a"'
    assert excerpt.startswith("…")
    assert excerpt.endswith("…")
    assert max(len(each) for each in shown.splitlines()) <= 60
    whole = render_text([_finding(line, 6, 508)], width=60)
    assert max(len(each) for each in whole.splitlines()) <= 60


@UNHURRIED
@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Mn", "Cf"]), max_size=300),
    st.integers(0, 300),
    st.integers(1, 50),
    st.integers(40, 120),
)
def test_the_excerpt_fits_for_any_line(line, start, length, width):
    start = min(start, len(line))
    shown = render_text([_finding(line, start, min(len(line), start + length))], width=width)
    for each in shown.splitlines()[3:5]:
        assert _columns(each) <= width


def test_several_lines_underline_the_first():
    finding = Diagnostic("ND103", "error", "f", "m", "/a", 1, 3, 4, 2, excerpt="a [1,")
    assert _carets(render_text([finding]))[0] == "[1,"


def test_terminals_are_not_controlled():
    finding = _finding("\x1b[31m", 0, 1, hint="\x1b[0m\r\n", notes=("\x07",))
    assert not any(ord(each) < 32 and each != "\n" for each in render_text([finding]))
    assert len(render_text([finding]).splitlines()) == 8


def test_colour_is_optional_and_changes_nothing_else():
    finding = _finding('{"a": 1}', 1, 4, hint="hint")
    plain, coloured = render_text([finding]), render_text([finding], colour=True)
    assert "\x1b" not in plain
    assert "\x1b[1;31m" in coloured
    stripped = coloured
    for code in ("\x1b[1;31m", "\x1b[1;33m", "\x1b[1m", "\x1b[2m", "\x1b[0m"):
        stripped = stripped.replace(code, "")
    assert stripped == plain


def test_totals():
    error, warning = _finding("", 0, 0), Diagnostic("ND202", "warning", "b.json", "m")
    assert render_text([error, error]).splitlines()[-1] == "a.json: 2 errors"
    lines = render_text([error, warning]).splitlines()
    assert lines[-2:] == ["a.json: 1 error", "b.json: 1 warning"]
    assert render_text([]) == ""


def test_json_has_the_fields_of_the_language():
    found = [_finding("", 0, 2, hint="h"), Diagnostic("ND202", "warning", "b.json", "m")]
    record = json.loads(json.dumps(to_json(found, 3)))
    assert (record["files"], record["errors"], record["warnings"]) == (3, 1, 1)
    first = record["diagnostics"][0]
    assert first == {
        "code": "ND101",
        "severity": "error",
        "file": "a.json",
        "line": 7,
        "column": 1,
        "end_line": 7,
        "end_column": 3,
        "pointer": "/a",
        "message": "a message",
        "hint": "h",
        "notes": [],
        "override": None,
        "related": [],
        "fix": None,
    }
